/* worker/score/choice_text.h - the two forms of a text in which a choice is looked for, and what is found at a place.
 *
 * plain: case and lines kept; markdown, quotes and LaTeX wrappers gone, a single emphasised letter (**B**, `B`, "B") is
 * "(B)", full-width signs are ASCII. folded: plain, NFKC and case-folded, white space single, '_' and hyphens between
 * letters are blanks. Private to this folder. Pure. */
#ifndef ASSAY_SCORE_CHOICE_TEXT_H
#define ASSAY_SCORE_CHOICE_TEXT_H

#include "common/base/buf.h"

enum { CHOICE_LETTERS_MAX = 26 };

struct choice_list {
	size_t count;
	size_t letter_count; /* how many of them have a letter; 0: letters mean nothing */
	struct str *folded;  /* their texts without outer punctuation; NULL when only their number is known */
	size_t longest;      /* of them, in bytes */
	struct buf store;    /* owns them */
};

/* texts may be NULL: then only letters count. letters false: only texts count. Letters are also off when there are more
 * choices than letters (a prompt shows none then, see common/base/prompt.h) and when a choice's own text is a letter
 * that would name another choice. False: out of memory. */
bool choice_list_init(struct choice_list *list, const struct str *texts, size_t count, bool letters);
void choice_list_done(struct choice_list *list);

/* Each replaces what `out` holds; false when it is full. text must be valid UTF-8. */
bool choice_plain(struct str text, struct buf *out);
bool choice_fold(struct str plain, struct buf *out);
/* Without blanks, sentence marks, quotes and brackets at both ends. A view. */
struct str choice_trim(struct str s);

bool choice_is_upper(char c);
bool choice_is_lower(char c);
bool choice_is_alnum(char c);
char choice_at(struct str s, size_t i); /* '\0' behind the end */

/* Does a word begin or end at i of s? Letters, digits and signs of numbers that go on say no. */
bool choice_word_begins(struct str s, size_t i);
bool choice_word_ends(struct str s, size_t i);

/* Which choice's text stands whole at i of a folded text (the longest)? Its index, or -1; *ret_len its length there. */
ptrdiff_t choice_text_at(const struct choice_list *list, struct str folded, size_t i, size_t *ret_len);
/* Which choice is this folded, trimmed text? -1: none. */
ptrdiff_t choice_equal(const struct choice_list *list, struct str folded);
/* The choice that a letter names, either case; -1: none. */
ptrdiff_t choice_of_letter(const struct choice_list *list, char c);

/* The length of the word (without case) at i of s when it is one of `words` (NULL-terminated) and ends there; else 0.
 */
size_t choice_word_at(struct str s, size_t i, const char *const *words);

#endif
