#include "coordinator/http/part.h"
#include "common/base/buf.h"

enum { PART_BYTES_MAX = 64 << 10 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes the escapes of selection_slice_text(). */
static void put_value(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool escaped = text.data[i] == '%' && i + 2 < text.len && hex_digit(text.data[i + 1]) >= 0 &&
		               hex_digit(text.data[i + 2]) >= 0;
		if (escaped)
			(void)buf_append_char(out,
			                      (char)(hex_digit(text.data[i + 1]) * 16 + hex_digit(text.data[i + 2])));
		else
			(void)buf_append_char(out, text.data[i]);
		i += escaped ? 2 : 0;
	}
}

static bool is_plain(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    str_find_char(STR("=._-+@:/"), c) < 0)
			return false;
	}
	return true;
}

static void put_quoted(struct buf *out, struct str text)
{
	if (is_plain(text)) {
		(void)buf_append_str(out, text);
		return;
	}
	(void)buf_append_char(out, '\'');
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\'')
			(void)buf_append_c(out, "'\\''");
		else
			(void)buf_append_char(out, text.data[i]);
	(void)buf_append_char(out, '\'');
}

static struct str taken(struct arena *arena, struct buf *out)
{
	struct str text = out->failed ? STR("") : arena_str(arena, buf_str(out));
	buf_done(out);
	return text;
}

struct str part_flags(struct arena *arena, const struct run_row *run, uint32_t suite_epochs)
{
	struct buf out, pair;
	struct str rest = run->slice, piece;
	buf_init(&out, PART_BYTES_MAX);
	while (run->slice.len && str_split(&rest, ',', &piece)) {
		buf_init(&pair, PART_BYTES_MAX);
		put_value(&pair, piece);
		(void)buf_append_c(&out, " --slice ");
		put_quoted(&out, buf_str(&pair));
		buf_done(&pair);
	}
	if (run->limit.len)
		(void)buf_printf(&out, " --limit %.*s", STR_ARG(run->limit));
	if (run->seed)
		(void)buf_printf(&out, " --seed %llu", (unsigned long long)run->seed);
	if (run->epochs != suite_epochs)
		(void)buf_printf(&out, " --epochs %u", run->epochs);
	return taken(arena, &out);
}

struct str part_words(struct arena *arena, const struct run_row *run, uint32_t suite_epochs)
{
	struct buf out;
	struct str rest = run->slice, piece;
	buf_init(&out, PART_BYTES_MAX);
	while (run->slice.len && str_split(&rest, ',', &piece)) {
		(void)buf_append_c(&out, out.len ? ", " : "");
		put_value(&out, piece);
	}
	if (run->limit.len)
		(void)buf_printf(&out, "%slimit %.*s", out.len ? ", " : "", STR_ARG(run->limit));
	if (run->seed)
		(void)buf_printf(&out, "%sseed %llu", out.len ? ", " : "", (unsigned long long)run->seed);
	if (run->epochs != suite_epochs)
		(void)buf_printf(&out, "%s%u epoch%s", out.len ? ", " : "", run->epochs, run->epochs == 1 ? "" : "s");
	return taken(arena, &out);
}
