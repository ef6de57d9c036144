#include "coordinator/catalog/suite_parts.h"
#include "common/base/regex.h"
#include "coordinator/catalog/words.h"
#include <stdarg.h>
#include <stdio.h>

enum { FIELD_BYTES = 200 };

const char *suite_field(struct suite_reader *r, const char *format, ...)
{
	char text[FIELD_BYTES];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args); /* a cut name is still a name */
	va_end(args);
	if (len < 0)
		text[0] = '\0';
	return arena_c_str(&r->s->arena, str_from(text));
}

enum err_code suite_want_word(struct suite_reader *r, const struct yaml *v, const char *field, const char *const *words,
                              struct str *ret_word)
{
	char advice[WORDS_ADVICE_BYTES];
	struct str word;
	enum err_code err = yaml_want_str(r->doc, v, field, &word, r->reterr);
	if (err)
		return err;
	if (!words_has(words, word))
		return yaml_fail(r->doc, v, r->reterr, "%s: '%.*s' is not known%s", field,
		                 (int)MIN_OF(word.len, (size_t)60), word.data, words_advice(words, word, advice));
	*ret_word = word;
	return ERR_OK;
}

bool suite_regex_flags(struct str letters, unsigned *ret_flags)
{
	for (size_t i = 0; i < letters.len; i++) {
		if (letters.data[i] == 'i')
			*ret_flags |= REGEX_CASELESS;
		else if (letters.data[i] == 'm')
			*ret_flags |= REGEX_MULTILINE;
		else if (letters.data[i] == 's')
			*ret_flags |= REGEX_DOTALL;
		else
			return false;
	}
	return true;
}
