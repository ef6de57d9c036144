#include "coordinator/http/estimate.h"

enum kind { WORD, DIGIT, BREAK, SPACE, OTHER, MARK };

static enum kind kind_of(char c)
{
	unsigned char u = (unsigned char)c;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return WORD;
	if (c >= '0' && c <= '9')
		return DIGIT;
	if (c == '\n' || c == '\r')
		return BREAK;
	return u >= 128 ? OTHER : u <= ' ' ? SPACE : MARK;
}

/* Tokens of a stretch of `len` bytes of one kind, as fitted to real vocabularies. */
static double stretch_tokens(enum kind kind, size_t len)
{
	double n = (double)len;
	switch (kind) {
	case WORD:
		return len <= 6 ? 1 : 1 + (n - 6) / 8; /* a long word is cut into pieces */
	case DIGIT:
		return n;
	case BREAK:
		return 1;
	case SPACE:
		return len == 1 ? 0 : 1; /* one space belongs to the word behind it */
	case OTHER:
		return n / 2; /* UTF-8 beyond ASCII: a letter of Latin scripts is two bytes, one token */
	case MARK:
		break;
	}
	return len == 1 ? 1 : n * 0.55; /* "));" and the like are often one entry */
}

double estimate_tokens(struct str text)
{
	double tokens = 0;
	for (size_t i = 0; i < text.len;) {
		enum kind kind = kind_of(text.data[i]);
		size_t end = i;
		while (end < text.len && kind_of(text.data[end]) == kind)
			end++;
		tokens += stretch_tokens(kind, end - i);
		if (kind == SPACE && end == i + 1 && end < text.len && kind_of(text.data[end]) == DIGIT)
			tokens += 0.6; /* some vocabularies leave the space before a number alone */
		i = end;
	}
	return tokens;
}

double estimate_template_tokens(double messages, bool has_system, bool hosted)
{
	return 3 + 4 * messages + (hosted && !has_system ? 21 : 0);
}
