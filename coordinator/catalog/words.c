#include "coordinator/catalog/words.h"
#include <stdio.h>
#include <string.h>

bool words_has(const char *const *words, struct str word)
{
	for (; *words; words++)
		if (str_eq_c(word, *words))
			return true;
	return false;
}

static const char *nearest(const char *const *words, struct str word)
{
	const char *best = NULL;
	unsigned limit = (unsigned)MAX_OF(word.len / 3, (size_t)1) + 1; /* so many edits are too many */
	for (; *words; words++) {
		unsigned distance = str_distance(word, str_from(*words));
		if (distance >= limit)
			continue;
		limit = distance;
		best = *words;
	}
	return best;
}

const char *words_advice(const char *const *words, struct str word, char out[WORDS_ADVICE_BYTES])
{
	const char *near = nearest(words, word);
	if (near) {
		(void)snprintf(out, WORDS_ADVICE_BYTES, "; did you mean '%s'?", near); /* words are short */
		return out;
	}
	size_t len = (size_t)snprintf(out, WORDS_ADVICE_BYTES, "; there are ");
	for (const char *const *w = words; *w && len < WORDS_ADVICE_BYTES; w++)
		len += (size_t)snprintf(out + len, WORDS_ADVICE_BYTES - len, "%s%s", w == words ? "" : ", ", *w);
	return out;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool words_is_name(struct str s, const char *others, size_t bytes_max)
{
	if (s.len == 0 || s.len > bytes_max || !is_alnum(s.data[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.data[i]) && (s.data[i] == '\0' || !strchr(others, s.data[i])))
			return false;
	return true;
}
