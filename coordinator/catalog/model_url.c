#include "coordinator/catalog/model_url.h"

enum { RUN_BYTES = 20, BEGINNING_BYTES = 16, PORT_MAX = 65535 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_word(struct str s, const char *word)
{
	size_t i = 0;
	while (i < s.len && word[i] && lower(s.data[i]) == word[i])
		i++;
	return i == s.len && word[i] == '\0';
}

/* name, name:port, [address]:port */
static const char *check_host(struct str host)
{
	size_t at = 0;
	if (host.len > 0 && host.data[0] == '[') {
		while (at < host.len && host.data[at] != ']')
			at++;
		if (at == host.len)
			return "has a '[' without ']'";
		at++;
	} else {
		while (at < host.len && host.data[at] != ':')
			if (!is_letter(host.data[at]) && !is_digit(host.data[at]) && host.data[at] != '.' &&
			    host.data[at] != '-' && host.data[at] != '_')
				return "has a host with a character that no host name has";
			else
				at++;
	}
	if (at == 0)
		return "names no host";
	if (at == host.len)
		return NULL;
	uint64_t port;
	bool good = host.data[at] == ':' && str_to_u64(str_slice(host, at + 1, host.len), &port) && port > 0 &&
	            port <= PORT_MAX;
	return good ? NULL : "has a port that is none";
}

const char *model_url_normalize(struct str url, struct buf *out)
{
	struct str scheme_end = STR("://");
	ptrdiff_t colon = str_find(url, scheme_end);
	size_t start = colon < 0 ? 0 : (size_t)colon + scheme_end.len;
	struct str scheme = str_slice(url, 0, colon < 0 ? 0 : (size_t)colon);
	if (!is_word(scheme, "http") && !is_word(scheme, "https"))
		return "must begin with http:// or https://";
	for (size_t i = 0; i < url.len; i++) {
		if (url.data[i] == '@')
			return "must not hold a user name or password";
		if (url.data[i] == '?' || url.data[i] == '#')
			return "must not hold a query or a fragment";
		if ((unsigned char)url.data[i] <= 0x20 || (unsigned char)url.data[i] >= 0x7F)
			return "must hold no blanks and only ASCII";
	}
	struct str rest = str_slice(url, start, url.len);
	ptrdiff_t slash = str_find_char(rest, '/');
	struct str host = str_slice(rest, 0, slash < 0 ? rest.len : (size_t)slash);
	const char *why = check_host(host);
	if (why)
		return why;
	while (url.len > start && url.data[url.len - 1] == '/')
		url.len--;
	for (size_t i = 0; i < url.len; i++)
		(void)buf_append_char(out, i < start + host.len ? lower(url.data[i]) : url.data[i]);
	return out->failed ? "is too long" : NULL;
}

bool model_looks_secret(struct str s)
{
	static const char *const beginnings[] = { "sk-", "sk_",  "pk-",  "rk-",  "AIza",    "ghp_", "gho_",
		                                  "hf_", "gsk_", "xai-", "AKIA", "Bearer ", "eyJ" };
	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
		if (s.len >= BEGINNING_BYTES && str_starts(s, str_from(beginnings[i])))
			return true;
	size_t run = 0, digits = 0, letters = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool digit = is_digit(s.data[i]), letter = is_letter(s.data[i]);
		if (!digit && !letter) {
			run = digits = letters = 0;
			continue;
		}
		run++;
		digits += digit;
		letters += letter;
		if (run >= RUN_BYTES && digits >= 3 && letters >= 3)
			return true;
	}
	return false;
}
