#include "worker/provider/provider_url.h"
#include <string.h>

enum { URL_BYTES_MAX = 4096, HOST_BYTES_MAX = 253 };

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool starts_caseless(struct str s, struct str prefix)
{
	return s.len >= prefix.len && strncasecmp(s.data, prefix.data, prefix.len) == 0;
}

static enum err_code take_scheme(struct str *rest, struct provider_url *u, struct error *reterr)
{
	u->https = starts_caseless(*rest, STR("https://"));
	if (!u->https && !starts_caseless(*rest, STR("http://")))
		return error_set(reterr, ERR_INVALID, "address must begin with http:// or https://");
	u->port = u->https ? 443 : 80;
	*rest = str_slice(*rest, u->https ? 8 : 7, rest->len);
	return ERR_OK;
}

static bool host_is_clean(struct str host, bool bracketed)
{
	for (size_t i = 0; i < host.len; i++)
		if (bracketed ? !is_one_of(host.data[i], "0123456789abcdefABCDEF:.")
		              : !is_alnum(host.data[i]) && !is_one_of(host.data[i], "-._"))
			return false;
	return host.len > 0 && host.len <= HOST_BYTES_MAX && host.data[0] != '.' && host.data[0] != '-';
}

/* authority: what stands between the scheme and the path: host, [v6], host:port */
static enum err_code read_authority(struct str authority, struct provider_url *u, struct error *reterr)
{
	struct str port = { NULL, 0 };
	bool bracketed = authority.len && authority.data[0] == '[';
	ptrdiff_t end = str_find_char(authority, bracketed ? ']' : ':');
	if (bracketed) {
		if (end < 0)
			return error_set(reterr, ERR_INVALID, "address has an unclosed bracket");
		u->host = str_slice(authority, 1, (size_t)end);
		struct str behind = str_slice(authority, (size_t)end + 1, authority.len);
		if (behind.len && behind.data[0] != ':')
			return error_set(reterr, ERR_INVALID, "address has text behind its bracket");
		if (behind.len)
			port = str_slice(behind, 1, behind.len);
		end = behind.len ? 0 : -1;
	} else {
		u->host = str_slice(authority, 0, end < 0 ? authority.len : (size_t)end);
		if (end >= 0)
			port = str_slice(authority, (size_t)end + 1, authority.len);
	}
	if (!host_is_clean(u->host, bracketed))
		return error_set(reterr, ERR_INVALID, "address has no valid host name");
	uint64_t number;
	if (end >= 0) {
		if (!str_to_u64(port, &number) || number == 0 || number > 65535)
			return error_set(reterr, ERR_INVALID, "address has an invalid port");
		u->port = (uint16_t)number;
	}
	return ERR_OK;
}

enum err_code provider_url_parse(struct str text, struct provider_url *ret_url, struct error *reterr)
{
	struct provider_url u = { 0 };
	if (text.len > URL_BYTES_MAX)
		return error_set(reterr, ERR_INVALID, "address is longer than %d bytes", URL_BYTES_MAX);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c <= 0x20 || c >= 0x7f || is_one_of((char)c, "\\#\"<>^`{|}"))
			return error_set(reterr, ERR_INVALID,
			                 "address holds a character that does not belong there (byte %zu)", i + 1);
	}
	struct str rest = text;
	enum err_code err = take_scheme(&rest, &u, reterr);
	if (err)
		return err;
	size_t end = 0;
	while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
		end++;
	struct str authority = str_slice(rest, 0, end);
	if (str_find_char(authority, '@') >= 0)
		return error_set(reterr, ERR_INVALID, "address must not hold credentials; name a key alias instead");
	err = read_authority(authority, &u, reterr);
	if (err)
		return err;
	rest = str_slice(rest, end, rest.len);
	ptrdiff_t query = str_find_char(rest, '?');
	u.path = str_slice(rest, 0, query < 0 ? rest.len : (size_t)query);
	if (query >= 0)
		u.query = str_slice(rest, (size_t)query + 1, rest.len);
	*ret_url = u;
	return ERR_OK;
}

enum err_code provider_url_join(struct str base, struct str version, struct str endpoint, struct buf *out,
                                struct error *reterr)
{
	struct provider_url u = { 0 };
	enum err_code err = provider_url_parse(base, &u, reterr);
	if (err)
		return err;
	struct str path = u.path;
	while (path.len && path.data[path.len - 1] == '/')
		path.len--;
	/* The authority as it was written: everything before the path or the query. */
	size_t head = u.path.data ? (size_t)(u.path.data - base.data) : base.len;
	buf_append_str(out, str_slice(base, 0, head));
	buf_append_str(out, path);
	if (path.len == 0)
		buf_append_str(out, version);
	if (!str_ends(path, endpoint))
		buf_append_str(out, endpoint);
	if (u.query.len) {
		buf_append_char(out, '?');
		buf_append_str(out, u.query);
	}
	return out->failed ? error_set(reterr, ERR_LIMIT, "address is too long") : ERR_OK;
}
