#include "common/base/template.h"
#include "common/base/unicode.h"

enum piece_kind { PIECE_END, PIECE_TEXT, PIECE_NAME, PIECE_BAD };

struct piece {
	enum piece_kind kind;
	struct str text; /* PIECE_TEXT: goes out as it is; PIECE_NAME: the name */
	size_t at;       /* PIECE_BAD: where, and what is wrong there */
	const char *wrong;
};

static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

static size_t skip_space(struct str text, size_t at)
{
	while (at < text.len && (text.data[at] == ' ' || (text.data[at] >= '\t' && text.data[at] <= '\r')))
		at++;
	return at;
}

static struct piece bad(size_t at, const char *wrong)
{
	return (struct piece){ .kind = PIECE_BAD, .at = at, .wrong = wrong };
}

/* The tag whose braces open at *at. */
static struct piece read_tag(struct str text, size_t *at)
{
	size_t open = *at, from = skip_space(text, open + 2), to = from;
	while (to < text.len && is_name(text.data[to]))
		to++;
	size_t close = skip_space(text, to);
	if (close >= text.len)
		return bad(open, "'{{' is never closed with '}}'");
	if (to == from)
		return bad(open, "a name must follow '{{' (write '{{{{' for two braces that are text)");
	if (!is_name_start(text.data[from]))
		return bad(from, "a name starts with a letter or '_'");
	if (!str_starts(str_slice(text, close, text.len), STR("}}")))
		return bad(close, "'}}' must follow the name (names have letters, digits, '_', '.' and '-')");
	*at = close + 2;
	return (struct piece){ .kind = PIECE_NAME, .text = str_slice(text, from, to) };
}

static struct piece next_piece(struct str text, size_t *at)
{
	struct str rest = str_slice(text, *at, text.len);
	if (rest.len == 0)
		return (struct piece){ .kind = PIECE_END };
	if (str_starts(rest, STR("{{{{"))) {
		*at += 4;
		return (struct piece){ .kind = PIECE_TEXT, .text = STR("{{") };
	}
	if (str_starts(rest, STR("{{")))
		return read_tag(text, at);
	ptrdiff_t tag = str_find(rest, STR("{{"));
	struct str plain = tag < 0 ? rest : str_slice(rest, 0, (size_t)tag);
	*at += plain.len;
	return (struct piece){ .kind = PIECE_TEXT, .text = plain };
}

static enum err_code fail_at(struct str text, size_t at, enum err_code code, struct error *reterr, const char *wrong,
                             struct str name)
{
	size_t line = 1, line_start = 0;
	for (size_t i = 0; i < at; i++) {
		if (text.data[i] != '\n')
			continue;
		line++;
		line_start = i + 1;
	}
	size_t column = unicode_length(str_slice(text, line_start, at)) + 1;
	return error_set(reterr, code, "line %zu, column %zu: %s%.*s", line, column, wrong, STR_ARG(name));
}

enum err_code template_check(struct str text, struct error *reterr)
{
	for (size_t at = 0;;) {
		struct piece p = next_piece(text, &at);
		if (p.kind == PIECE_END)
			return ERR_OK;
		if (p.kind == PIECE_BAD)
			return fail_at(text, p.at, ERR_INVALID, reterr, p.wrong, STR(""));
	}
}

bool template_next_name(struct str text, size_t *at, struct str *ret_name)
{
	for (;;) {
		struct piece p = next_piece(text, at);
		if (p.kind == PIECE_END || p.kind == PIECE_BAD)
			return false;
		if (p.kind == PIECE_NAME) {
			*ret_name = p.text;
			return true;
		}
	}
}

enum err_code template_render(struct str text, template_lookup *lookup, void *context, struct buf *out,
                              struct error *reterr)
{
	for (size_t at = 0;;) {
		size_t start = at;
		struct piece p = next_piece(text, &at);
		if (p.kind == PIECE_END)
			return ERR_OK;
		if (p.kind == PIECE_BAD)
			return fail_at(text, p.at, ERR_INVALID, reterr, p.wrong, STR(""));
		struct str value = p.text;
		if (p.kind == PIECE_NAME && !lookup(context, p.text, &value))
			return fail_at(text, start, ERR_NOT_FOUND, reterr, "no value for ", p.text);
		if (!buf_append_str(out, value))
			return error_set(reterr, ERR_LIMIT, "the text grows over %zu bytes", out->max);
	}
}
