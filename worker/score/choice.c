#include "worker/score/choice.h"
#include "worker/score/choice_declared.h"
#include <string.h>

enum { ANSWER_BYTES_MAX = 256 << 10 };

struct votes { /* the different choices that one rule has found; two are enough */
	size_t count;
	size_t index[2];
};

static void vote(struct votes *v, ptrdiff_t index)
{
	if (index < 0 || v->count == 2 || (v->count == 1 && v->index[0] == (size_t)index))
		return;
	v->index[v->count++] = (size_t)index;
}

static struct choice_reading tally(const struct votes *v, const char *how, const char *how_not)
{
	if (v->count == 2)
		return (struct choice_reading){ CHOICE_AMBIGUOUS, v->index[0], v->index[1], how_not };
	if (v->count == 1)
		return (struct choice_reading){ CHOICE_ONE, v->index[0], 0, how };
	return (struct choice_reading){ .how = "" };
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* ---- a piece that is a choice and nothing else ---- */

/* "B", "(b).", "Paris", "B) Paris" */
static void vote_whole(const struct choice_list *list, struct str piece, struct buf *folded, struct votes *v)
{
	struct str core = choice_trim(piece);
	if (core.len == 0)
		return;
	ptrdiff_t label = core.len == 1 ? choice_of_letter(list, core.data[0]) : -1;
	if (label >= 0) {
		vote(v, label);
		return;
	}
	if (!choice_fold(core, folded))
		return;
	ptrdiff_t text = choice_equal(list, choice_trim(buf_str(folded)));
	if (text >= 0) {
		vote(v, text);
		return;
	}
	label = choice_is_alnum(choice_at(core, 1)) ? -1 : choice_of_letter(list, core.data[0]);
	if (label < 0 || !is_one_of(choice_at(core, 1), ").:]- ") || !choice_fold(str_slice(core, 1, core.len), folded))
		return;
	struct str rest = buf_str(folded);
	while (rest.len && is_one_of(rest.data[0], ").:]- "))
		rest = str_slice(rest, 1, rest.len);
	text = choice_equal(list, choice_trim(rest));
	if (text >= 0) {
		vote(v, label);
		vote(v, text);
	}
}

static struct choice_reading whole_answer(const struct choice_list *list, struct str plain, struct buf *folded)
{
	struct votes v = { 0 };
	vote_whole(list, plain, folded, &v);
	return tally(&v, "the whole answer", "letter and text name different choices");
}

static struct str line_next(struct str *rest)
{
	struct str line;
	while (str_split(rest, '\n', &line))
		if (choice_trim(line).len)
			return line;
	return (struct str){ NULL, 0 };
}

static struct choice_reading first_or_last_line(const struct choice_list *list, struct str plain, struct buf *folded)
{
	struct votes v = { 0 };
	struct str rest = plain, first = line_next(&rest), last = { NULL, 0 };
	for (struct str line; (line = line_next(&rest)).data;)
		last = line;
	vote_whole(list, first, folded, &v);
	vote_whole(list, last, folded, &v);
	return tally(&v, "a line of its own", "first and last line name different choices");
}

/* ---- "B is correct" ---- */

/* Behind a mention that ends at i: +1 "is correct", -1 "is wrong", "isn't", 0 neither. */
static int judged(struct str s, size_t i)
{
	static const char *const verbs[] = { "is", "are", "was", "would be", "must be", "seems", NULL };
	static const char *const denials[] = { "isn't", "aren't", "wasn't", "cannot be", "can't be", NULL };
	static const char *const fillers[] = { "the",     "most", "likely", "probably", "definitely",
		                               "clearly", "only", "also",   NULL };
	static const char *const good[] = { "correct", "right", "best", "true", "answer", "my answer", NULL };
	static const char *const bad[] = { "not", "incorrect", "wrong", "false", NULL };
	while (is_one_of(choice_at(s, i), " )]"))
		i++;
	if (choice_word_at(s, i, denials))
		return -1;
	size_t step = choice_word_at(s, i, verbs);
	if (!step)
		return 0;
	for (; step; step = choice_word_at(s, i, fillers)) {
		i += step;
		while (choice_at(s, i) == ' ')
			i++;
	}
	return choice_word_at(s, i, bad) ? -1 : choice_word_at(s, i, good) ? 1 : 0;
}

/* Is what begins at i of s negated by the words before it ("not B", "rather than the option B")? */
static bool negated(struct str s, size_t i)
{
	static const char *const passed[] = { "the", "option", "choice", "letter", "a", "an", "be", NULL };
	static const char *const negations[] = { "not",        "isn't",   "except",     "eliminate",
		                                 "eliminates", "exclude", "excludes",   "than",
		                                 "neither",    "nor",     "unlike",     "without",
		                                 "of",         "wasn't",  "eliminated", NULL };
	for (int words = 0; words < 4; words++) {
		while (i > 0 && is_one_of(s.data[i - 1], " (["))
			i--;
		size_t end = i;
		while (i > 0 && (choice_is_alnum(s.data[i - 1]) || s.data[i - 1] == '\''))
			i--;
		if (i == end)
			return false;
		struct str word = str_slice(s, i, end);
		if (str_eq_c(word, "of")) /* "instead of", and no other "of" */
			return i >= 8 && strncasecmp(s.data + i - 8, "instead ", 8) == 0;
		if (choice_word_at(s, i, negations))
			return true;
		if (!choice_word_at(s, i, passed))
			return false;
	}
	return false;
}

/* The next lone letter at or after *at: its place; *at moves behind it. */
static bool letter_next(const struct choice_list *list, struct str plain, size_t *at, size_t *ret_place)
{
	for (size_t i = *at; i < plain.len; i++) {
		if (!choice_is_upper(plain.data[i]) || choice_of_letter(list, plain.data[i]) < 0)
			continue;
		char before = i > 0 ? plain.data[i - 1] : ' ';
		bool begins = !choice_is_alnum(before) && !is_one_of(before, "'&_/") &&
		              !(is_one_of(before, ".-(") && i > 1 && choice_is_alnum(plain.data[i - 2]));
		if (!begins || !choice_letter_ends(plain, i + 1))
			continue;
		*at = i + 1;
		*ret_place = i;
		return true;
	}
	*at = plain.len;
	return false;
}

static void vote_judged_letters(const struct choice_list *list, struct str plain, struct votes *v)
{
	size_t place;
	for (size_t at = 0; letter_next(list, plain, &at, &place);)
		if (judged(plain, place + 1) > 0 && !negated(plain, place))
			vote(v, choice_of_letter(list, plain.data[place]));
}

enum mention_kind { MENTION_ANY, MENTION_JUDGED };

static void vote_texts(const struct choice_list *list, struct str folded, enum mention_kind kind, struct votes *v)
{
	for (size_t i = 0; list->folded && i < folded.len && v->count < 2;) {
		size_t len = 0;
		ptrdiff_t index = choice_word_begins(folded, i) ? choice_text_at(list, folded, i, &len) : -1;
		if (index < 0) {
			i++;
			continue;
		}
		int verdict = judged(folded, i + len);
		if (!negated(folded, i) && (kind == MENTION_ANY ? verdict >= 0 : verdict > 0))
			vote(v, index);
		i += len;
	}
}

static struct choice_reading said_correct(const struct choice_list *list, struct str plain, struct str folded)
{
	struct votes v = { 0 };
	vote_judged_letters(list, plain, &v);
	vote_texts(list, folded, MENTION_JUDGED, &v);
	return tally(&v, "what is called correct", "two choices are called correct");
}

/* ---- labels at line starts, marked letters, mentions ---- */

/* "B) ...", "B. ...", "(B) ...", "B - ...", "B, because": a label that opens a line. */
static ptrdiff_t line_label(const struct choice_list *list, struct str line)
{
	static const char *const joints[] = { "or", "and", NULL };
	size_t end = 0;
	char c = choice_at(line, 0), next = choice_at(line, 1);
	if (is_one_of(c, "([")) {
		ptrdiff_t index = choice_label_at(list, line, 0, &end);
		bool labels = index >= 0 && is_one_of(line.data[end - 1], ")]") && judged(line, end) >= 0;
		while (choice_at(line, end) == ' ')
			end++;
		return labels && !choice_word_at(line, end, joints) ? index : -1;
	}
	if (!choice_is_upper(c) && !is_one_of(next, ")"))
		return -1;
	if (!choice_letter_ends(line, 1))
		return -1;
	bool dash = next == ' ' && choice_at(line, 2) == '-';
	bool comma = next == ',' && c != 'I';
	return is_one_of(next, ").:]-") || dash || comma ? choice_of_letter(list, c) : -1;
}

static struct choice_reading line_labels(const struct choice_list *list, struct str plain, struct buf *folded)
{
	struct votes v = { 0 };
	struct str rest = plain;
	for (struct str line; (line = line_next(&rest)).data;) {
		ptrdiff_t label = line_label(list, line);
		vote(&v, label);
		if (label >= 0)
			vote_whole(list, line, folded, &v); /* "B) Paris" where Paris is another choice */
	}
	return tally(&v, "a label at a line's start", "several labels at line starts");
}

/* "Yes, because ...", "Paris. It is ...": a choice's text that opens the answer and ends in a sentence mark. */
static struct choice_reading opening_text(const struct choice_list *list, struct str folded)
{
	size_t len;
	struct votes v = { 0 };
	size_t at = (size_t)(choice_trim(folded).data - folded.data);
	ptrdiff_t index = folded.len ? choice_text_at(list, folded, at, &len) : -1;
	if (index >= 0 && is_one_of(choice_at(folded, at + len), ".,;:!-)"))
		vote(&v, index);
	if (index >= 0 && str_starts(str_slice(folded, at + len, folded.len), STR(" -")))
		vote(&v, index);
	return tally(&v, "the choice that opens the answer", "");
}

/* "(B)", "[B]", "option B" anywhere, unless negated or called wrong. */
static struct choice_reading marked_letters(const struct choice_list *list, struct str plain)
{
	static const char *const nouns[] = { "option", "choice", "letter", "answer", NULL };
	struct votes v = { 0 };
	for (size_t i = 0; i < plain.len; i++) {
		size_t end, from = i;
		size_t noun = i == 0 || !choice_is_alnum(plain.data[i - 1]) ? choice_word_at(plain, i, nouns) : 0;
		bool bracket = is_one_of(plain.data[i], "([");
		if (noun && choice_at(plain, i + noun) == ' ')
			from = i + noun + 1;
		else if (!bracket || (i > 0 && choice_is_alnum(plain.data[i - 1])))
			continue; /* also f(B) */
		ptrdiff_t index = choice_label_at(list, plain, from, &end);
		if (index < 0 || (!noun && !is_one_of(plain.data[end - 1], ")]")))
			continue;
		if (!negated(plain, i) && judged(plain, end) >= 0)
			vote(&v, index);
		i = end - 1;
	}
	return tally(&v, "the marked letter", "several marked letters");
}

static struct choice_reading mentions(const struct choice_list *list, struct str plain, struct str folded)
{
	struct votes v = { 0 };
	size_t place;
	vote_texts(list, folded, MENTION_ANY, &v);
	for (size_t at = 0; letter_next(list, plain, &at, &place);) {
		char c = plain.data[place];
		if ((c == 'A' || c == 'I') && !choice_letter_is_bare(plain, place + 1))
			continue;
		if (c == 'I' && choice_at(plain, place + 1) == ',')
			continue; /* "I, personally" */
		if (!negated(plain, place) && judged(plain, place + 1) >= 0)
			vote(&v, choice_of_letter(list, plain.data[place]));
	}
	return tally(&v, "the only choice mentioned", "several choices are mentioned");
}

/* ---- all rules ---- */

static struct choice_reading read_plain(const struct choice_list *list, struct str plain, struct buf *folded,
                                        struct buf *piece)
{
	struct choice_reading r = whole_answer(list, plain, piece);
	if (r.verdict == CHOICE_NONE)
		r = choice_declared(list, plain);
	if (r.verdict == CHOICE_NONE)
		r = said_correct(list, plain, buf_str(folded));
	if (r.verdict == CHOICE_NONE)
		r = first_or_last_line(list, plain, piece);
	if (r.verdict == CHOICE_NONE)
		r = line_labels(list, plain, piece);
	if (r.verdict == CHOICE_NONE)
		r = opening_text(list, buf_str(folded));
	if (r.verdict == CHOICE_NONE)
		r = marked_letters(list, plain);
	if (r.verdict == CHOICE_NONE)
		r = mentions(list, plain, buf_str(folded));
	return r;
}

static struct str end_of(struct str answer)
{
	if (answer.len <= ANSWER_BYTES_MAX)
		return answer;
	answer = str_slice(answer, answer.len - ANSWER_BYTES_MAX, answer.len);
	while (answer.len && ((unsigned char)answer.data[0] & 0xC0) == 0x80)
		answer = str_slice(answer, 1, answer.len);
	return answer;
}

struct choice_reading choice_read(const struct choice_list *list, struct str answer)
{
	struct choice_reading r = { .verdict = CHOICE_TOO_LONG, .how = "" };
	struct buf plain, folded, piece;
	buf_init(&plain, ANSWER_BYTES_MAX * 2);
	buf_init(&folded, ANSWER_BYTES_MAX * 20);
	buf_init(&piece, ANSWER_BYTES_MAX * 20);
	if (choice_plain(end_of(answer), &plain) && choice_fold(buf_str(&plain), &folded))
		r = read_plain(list, buf_str(&plain), &folded, &piece);
	buf_done(&plain);
	buf_done(&folded);
	buf_done(&piece);
	return r;
}
