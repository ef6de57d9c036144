#include "worker/score/choice_declared.h"
#include <string.h>

enum { TEXT_WINDOW_BYTES_MAX = 4096, DETOUR_BYTES_MAX = 80 };

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static size_t skip_blanks(struct str s, size_t i)
{
	while (is_one_of(choice_at(s, i), " \t\n"))
		i++;
	return i;
}

/* ---- labels ---- */

bool choice_letter_ends(struct str plain, size_t i)
{
	char c = choice_at(plain, i), next = choice_at(plain, i + 1);
	if (choice_is_alnum(c) || is_one_of(c, "'&+#_"))
		return false;
	if (c == '-' || c == '.')
		return !choice_is_alnum(next); /* "B-52", "U.S." */
	return true;
}

bool choice_letter_is_bare(struct str plain, size_t i)
{
	static const char *const followers[] = { "because", "since", "as",  "is",  "was", "which", "for",
		                                 "based",   "given", "due", "and", "or",  NULL };
	char c = choice_at(plain, i);
	if (c == '\0' || is_one_of(c, "\n).]:;,!?"))
		return true;
	if (c != ' ')
		return false;
	i = skip_blanks(plain, i);
	return is_one_of(choice_at(plain, i), "-(/") || choice_at(plain, i) == '\0' ||
	       choice_word_at(plain, i, followers) > 0;
}

ptrdiff_t choice_label_at(const struct choice_list *list, struct str plain, size_t i, size_t *ret_end)
{
	size_t opened = 0;
	while (is_one_of(choice_at(plain, i), "([") && opened < 3) {
		i++;
		opened++;
	}
	char c = choice_at(plain, i);
	ptrdiff_t index = choice_of_letter(list, c);
	size_t end = i + 1;
	if (index < 0 || !choice_letter_ends(plain, end))
		return -1;
	bool closed = opened && is_one_of(choice_at(plain, end), ")]");
	bool wordlike = choice_is_lower(c) || c == 'A' || c == 'I';
	bool slashed = choice_at(plain, end) == '/' && choice_of_letter(list, choice_at(plain, end + 1)) >= 0 &&
	               choice_letter_ends(plain, end + 2); /* "A/B" */
	if (wordlike && !closed && !slashed && !choice_letter_is_bare(plain, end))
		return -1;
	while (is_one_of(choice_at(plain, end), ")]"))
		end++;
	*ret_end = end;
	return index;
}

/* ---- texts ---- */

/* What stands at i of plain, folded, as far as a choice's text (and a second one) can reach. */
static bool fold_window(const struct choice_list *list, struct str plain, size_t i, struct buf *folded)
{
	size_t len = MIN_OF(list->longest * 4 + 64, (size_t)TEXT_WINDOW_BYTES_MAX);
	struct str window = str_slice(plain, i, i + len);
	while (window.len == len && ((unsigned char)window.data[window.len - 1] & 0x80))
		window.len--; /* the window may end inside a character */
	return choice_fold(choice_trim(window), folded);
}

/* Which choice's text begins at i of plain? */
static ptrdiff_t text_at(const struct choice_list *list, struct str plain, size_t i, size_t *ret_len)
{
	if (!list->folded)
		return -1;
	struct buf folded;
	buf_init(&folded, TEXT_WINDOW_BYTES_MAX * 20);
	ptrdiff_t index =
		fold_window(list, plain, i, &folded) ? choice_text_at(list, buf_str(&folded), 0, ret_len) : -1;
	buf_done(&folded);
	return index;
}

/* ---- one declaration ---- */

static struct choice_reading one(ptrdiff_t index)
{
	return (struct choice_reading){ CHOICE_ONE, (size_t)index, 0, "the declared answer" };
}

static struct choice_reading two(ptrdiff_t index, ptrdiff_t other, const char *how)
{
	return (struct choice_reading){ CHOICE_AMBIGUOUS, (size_t)index, (size_t)other, how };
}

/* "B or C", "B/C", "B and C", "A, B" at the end of a line: another label behind one that ends at i, or -1. */
static ptrdiff_t alternative(const struct choice_list *list, struct str plain, size_t i)
{
	static const char *const joints[] = { "or", "and", NULL };
	static const char *const nouns[] = { "option", "choice", NULL };
	bool comma = choice_at(plain, i) == ',';
	size_t at = skip_blanks(plain, i + comma), word = choice_word_at(plain, at, joints), end;
	bool sign = is_one_of(choice_at(plain, at), "/&");
	if (!comma && !word && !sign)
		return -1;
	at = skip_blanks(plain, at + (word ? word : sign));
	at = skip_blanks(plain, at + choice_word_at(plain, at, nouns));
	ptrdiff_t index = choice_label_at(list, plain, at, &end);
	if (index < 0)
		return -1;
	bool list_goes_on = is_one_of(choice_at(plain, end), ",\n") || choice_at(plain, end) == '\0' ||
	                    choice_word_at(plain, skip_blanks(plain, end), joints);
	return word || sign || list_goes_on ? index : -1;
}

static struct choice_reading read_label(const struct choice_list *list, struct str plain, ptrdiff_t index, size_t end)
{
	size_t len;
	ptrdiff_t other = alternative(list, plain, end);
	if (other >= 0 && other != index)
		return two(index, other, "two letters are declared");
	/* "B) Paris" where Paris is another choice */
	size_t at = end;
	while (is_one_of(choice_at(plain, at), " .:,-("))
		at++;
	other = text_at(list, plain, at, &len);
	if (other >= 0 && other != index)
		return two(index, other, "letter and text name different choices");
	return one(index);
}

/* "Paris or London": the choice behind a joint, or -1. */
static ptrdiff_t joined_text(const struct choice_list *list, struct str rest)
{
	static const struct str joints[] = { STR_INIT(" or "), STR_INIT(" and "), STR_INIT("/"), STR_INIT(" / ") };
	size_t len;
	for (size_t j = 0; j < ARRAY_LEN(joints); j++)
		if (str_starts(rest, joints[j]))
			return choice_text_at(list, rest, joints[j].len, &len);
	return -1;
}

static struct choice_reading read_text(const struct choice_list *list, struct str plain, size_t i)
{
	size_t len = 0;
	struct buf folded;
	buf_init(&folded, TEXT_WINDOW_BYTES_MAX * 20);
	ptrdiff_t index = -1, other = -1;
	if (fold_window(list, plain, i, &folded))
		index = choice_text_at(list, buf_str(&folded), 0, &len);
	if (index >= 0)
		other = joined_text(list, str_slice(buf_str(&folded), len, folded.len));
	buf_done(&folded);
	if (index < 0)
		return (struct choice_reading){ .how = "" };
	return other >= 0 && other != index ? two(index, other, "two choices are declared") : one(index);
}

/* What is declared at i: a label or a choice's text; a text that goes on past the letter wins ("B minor"). */
static struct choice_reading read_candidate(const struct choice_list *list, struct str plain, size_t i)
{
	size_t end, len = 0;
	ptrdiff_t label = choice_label_at(list, plain, i, &end);
	ptrdiff_t text = text_at(list, plain, i, &len);
	if (label >= 0 && (text < 0 || len <= 1))
		return read_label(list, plain, label, end);
	return text >= 0 ? read_text(list, plain, i) : (struct choice_reading){ .how = "" };
}

/* ---- finding declarations ---- */

/* Steps over what may stand between "answer" and the choice; *ret_linked: an "is" or a colon was among it. */
static size_t skip_links(struct str plain, size_t i, bool *ret_linked)
{
	static const char *const verbs[] = { "is", "was", "are", "be", "being", "seems", "appears", "becomes", NULL };
	static const char *const fillers[] = { "would",   "will",      "should", "must",   "might",     "could",
		                               "can",     "to",        "likely", "most",   "probably",  "definitely",
		                               "clearly", "therefore", "thus",   "hence",  "simply",    "just",
		                               "indeed",  "option",    "choice", "letter", "answer",    "correct",
		                               "best",    "right",     "final",  "the",    "following", "as",
		                               "follows", "that",      "it",     "i",      "think",     "believe",
		                               "number",  "for",       "sure",   "boxed",  NULL };
	*ret_linked = false;
	for (;;) {
		size_t at = skip_blanks(plain, i);
		size_t verb = choice_word_at(plain, at, verbs), filler = choice_word_at(plain, at, fillers);
		bool link = is_one_of(choice_at(plain, at), ":=");
		char c = choice_at(plain, at);
		bool dash = c == '>' || (is_one_of(c, "-~,") && !choice_is_alnum(choice_at(plain, at + 1)));
		if (verb || link)
			*ret_linked = true;
		if (!verb && !filler && !link && !dash)
			return at;
		/* a one-letter filler must not eat a label: "the answer is I" */
		if (filler == 1 && choice_letter_is_bare(plain, at + 1))
			return at;
		i = at + (verb ? verb : filler ? filler : 1);
	}
}

/* "the answer to question 3 is ...": from behind "answer" to the "is" or colon, or the same place. */
static size_t skip_detour(struct str plain, size_t i)
{
	static const char *const openers[] = { "to", "for", "here", "of", "i", "that", "which", NULL };
	static const char *const verbs[] = { "is", "would", "was", NULL };
	size_t at = skip_blanks(plain, i);
	if (!choice_word_at(plain, at, openers))
		return i;
	for (size_t end = at; end < plain.len && end < at + DETOUR_BYTES_MAX; end++) {
		char c = plain.data[end];
		if (c == '\n' || c == '.' || c == '?')
			return i;
		if (c == ':' || (c == ' ' && choice_word_at(plain, end + 1, verbs)))
			return end;
	}
	return i;
}

enum keyword_kind {
	KEYWORD_NOUN,   /* answer: what follows may follow at once */
	KEYWORD_LINKED, /* option, choice: only behind "is" or a colon, since options are also merely mentioned */
	KEYWORD_VERB,   /* choose, pick */
};

/* The keyword at i and its kind; 0: none. */
static size_t keyword_at(struct str plain, size_t i, enum keyword_kind *ret_kind)
{
	static const char *const nouns[] = { "answer", "answers", "boxed", "conclusion", "solution", NULL };
	static const char *const linked[] = { "option", "choice", "letter", "category", "label", "class", NULL };
	static const char *const verbs[] = { "choose",   "chose",   "pick",    "picked",   "select",
		                             "selected", "go with", "opt for", "answered", NULL };
	size_t len = choice_word_at(plain, i, nouns);
	*ret_kind = KEYWORD_NOUN;
	if (len)
		return len;
	*ret_kind = KEYWORD_LINKED;
	len = choice_word_at(plain, i, linked);
	if (len)
		return len;
	*ret_kind = KEYWORD_VERB;
	return choice_word_at(plain, i, verbs);
}

/* Does the answer speak of itself before i: "I would choose", "we pick"? Others may choose otherwise. */
static bool is_spoken_by_answerer(struct str plain, size_t i)
{
	/* the longer before the shorter: the first that fits is taken */
	static const char *const subjects[] = {
		"i'd", "i'll", "i'm", "i've", "i", "we'd", "we'll", "we", "let's", NULL
	};
	for (int words = 0; words < 6; words++) {
		while (i > 0 && plain.data[i - 1] == ' ')
			i--;
		size_t end = i;
		while (i > 0 && (choice_is_alnum(plain.data[i - 1]) || plain.data[i - 1] == '\''))
			i--;
		if (i == end)
			return false;
		if (choice_word_at(plain, i, subjects) == end - i)
			return true;
	}
	return false;
}

static struct choice_reading declaration_at(const struct choice_list *list, struct str plain, size_t word_at, size_t i,
                                            enum keyword_kind kind)
{
	bool linked;
	size_t at = skip_links(plain, skip_detour(plain, i), &linked);
	if (kind == KEYWORD_LINKED && !linked)
		return (struct choice_reading){ .how = "" };
	if (kind == KEYWORD_VERB && !linked && !is_spoken_by_answerer(plain, word_at))
		return (struct choice_reading){ .how = "" };
	if (kind == KEYWORD_NOUN && !linked && choice_is_lower(choice_at(plain, at)))
		return (struct choice_reading){ .how = "" }; /* "answer a question" */
	return read_candidate(list, plain, at);
}

struct choice_reading choice_declared(const struct choice_list *list, struct str plain)
{
	struct choice_reading last = { .how = "" };
	for (size_t i = 0; i < plain.len; i++) {
		enum keyword_kind kind;
		bool begins = choice_is_alnum(plain.data[i]) && (i == 0 || !choice_is_alnum(plain.data[i - 1]));
		size_t len = begins ? keyword_at(plain, i, &kind) : 0;
		if (len == 0)
			continue;
		struct choice_reading reading = declaration_at(list, plain, i, i + len, kind);
		if (reading.verdict != CHOICE_NONE)
			last = reading;
		i += len - 1;
	}
	return last;
}
