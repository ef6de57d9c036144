// libs: base io store catalog schedule stats evidence analysis http
/* The small texts of the API and of its client: the list of keys, the words of the schedule, lines for a terminal. What
 * is added is found and can be removed again; no byte of a text is lost on its way. */
#include "common/base/wrap.h"
#include "coordinator/http/estimate.h"
#include "coordinator/http/key_list.h"
#include "coordinator/http/reason.h"
#include "tests/fuzz/fuzz.h"

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static size_t names_in(struct str lines, struct str wanted, size_t *ret_all)
{
	struct str name, key;
	size_t count = 0;
	*ret_all = 0;
	while (key_list_next(&lines, &name, &key)) {
		count += str_eq(name, wanted);
		(*ret_all)++;
	}
	return count;
}

static void try_keys(struct str text)
{
	struct buf lines, kept;
	struct str rest = text, name;
	size_t all, before;
	buf_init(&lines, KEY_LIST_BYTES_MAX);
	buf_init(&kept, KEY_LIST_BYTES_MAX + 1);
	(void)str_split(&rest, '\n', &name); /* the first line is the name, the rest the list */
	(void)names_in(rest, name, &before);
	if (buf_append_str(&lines, rest) && key_list_add(&lines, name, STR(KEY), NULL) == ERR_OK) {
		check(names_in(buf_str(&lines), name, &all) == 1 && all == before + 1);
		check(key_list_remove(buf_str(&lines), name, &kept));
		check(names_in(buf_str(&kept), name, &all) == 0 && all == before);
	}
	buf_done(&kept);
	buf_done(&lines);
}

static void try_reason(struct str text)
{
	static const struct str id = STR_INIT("an-item");
	uint32_t numbers[REASON_ITEMS_MAX];
	struct str ids[REASON_ITEMS_MAX];
	struct arena arena;
	arena_init(&arena, 8 << 20);
	size_t count = reason_items(text, numbers);
	check(count <= REASON_ITEMS_MAX);
	for (size_t i = 0; i < count; i++)
		ids[i] = id;
	struct str words = reason_text(&arena, text, ids, count, 7);
	check(words.len + 16 * REASON_ITEMS_MAX + 32 >= text.len);
	arena_done(&arena);
}

static void try_wrap(struct str text)
{
	struct buf out;
	size_t at = 0;
	buf_init(&out, 4 << 20);
	check(wrap_text(text, 40, &out));
	for (size_t i = 0; i < text.len; i++) { /* all but blanks, in order */
		if (text.data[i] == ' ' || text.data[i] == '\n')
			continue;
		while (at < out.len && (out.data[at] == ' ' || out.data[at] == '\n'))
			at++;
		check(at < out.len && out.data[at] == text.data[i]);
		at++;
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_make(data, MIN_OF(len, (size_t)16384));
	try_keys(text);
	try_reason(text);
	try_wrap(text);
	double tokens = estimate_tokens(text);
	check(tokens >= 0 && tokens <= 2 * (double)text.len);
	return 0;
}
