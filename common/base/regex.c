#include "common/base/regex.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	MATCH_LIMIT = 100000, /* backtracking points from one start position */
	DEPTH_LIMIT = 20000,
	HEAP_LIMIT_KIB = 16384,
	STEPS_MAX = 10000000, /* pattern items tried in one search, all start positions together: about 0.2 s */
	STEPS_PER_BYTE = 16,  /* and as many more, so that plain patterns can read long texts */
};

struct regex {
	pcre2_code *code;
	size_t group_count; /* with the whole match */
};

static void *allocate(size_t bytes, void *context)
{
	(void)context;
	return mem_try_grow(NULL, bytes, 1);
}

static void release(void *p, void *context)
{
	(void)context;
	mem_free(p);
}

/* ---- compiling ---- */

static uint32_t options_of(unsigned flags)
{
	uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
	options |= flags & REGEX_CASELESS ? PCRE2_CASELESS : 0;
	options |= flags & REGEX_MULTILINE ? PCRE2_MULTILINE : 0;
	options |= flags & REGEX_DOTALL ? PCRE2_DOTALL : 0;
	return options;
}

static enum err_code fail_compile(struct str pattern, int code, size_t at, struct error *reterr)
{
	PCRE2_UCHAR text[200];
	if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
		return error_set(reterr, ERR_NOMEM, "out of memory reading a pattern of %zu bytes", pattern.len);
	if (pcre2_get_error_message(code, text, ARRAY_LEN(text)) < 0)
		text[0] = '\0';
	size_t column = unicode_length(str_slice(pattern, 0, at)) + 1;
	return error_set(reterr, ERR_INVALID, "pattern, column %zu: %s", column, (const char *)text);
}

static enum err_code check_groups(struct regex *r, struct error *reterr)
{
	uint32_t groups = 0;
	(void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups); /* fails for unknown requests only */
	r->group_count = (size_t)groups + 1;
	if (r->group_count <= REGEX_GROUPS_MAX)
		return ERR_OK;
	return error_set(reterr, ERR_LIMIT,
	                 "pattern: %u groups, at most %d are kept (write (?:...) where nothing is taken)", groups,
	                 REGEX_GROUPS_MAX - 1);
}

enum err_code regex_compile(struct str pattern, unsigned flags, struct regex **ret_regex, struct error *reterr)
{
	if (pattern.len > REGEX_PATTERN_BYTES_MAX)
		return error_set(reterr, ERR_LIMIT, "pattern: %zu bytes, at most %d are taken", pattern.len,
		                 REGEX_PATTERN_BYTES_MAX);
	int code = PCRE2_ERROR_NOMEMORY;
	size_t at = 0;
	enum err_code err = ERR_OK;
	pcre2_compile_context *context = NULL;
	struct regex *r = mem_try_new(1, sizeof(*r));
	pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
	if (memory)
		context = pcre2_compile_context_create(memory);
	if (r && context)
		r->code = pcre2_compile((PCRE2_SPTR)(pattern.data ? pattern.data : ""), pattern.len, options_of(flags),
		                        &code, &at, context);
	pcre2_compile_context_free(context); /* both accept NULL */
	pcre2_general_context_free(memory);
	if (r && r->code)
		err = check_groups(r, reterr);
	else
		err = fail_compile(pattern, code, at, reterr);
	if (err != ERR_OK) {
		regex_free(r);
		return err;
	}
	*ret_regex = r;
	return ERR_OK;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	mem_free(r);
}

size_t regex_group_count(const struct regex *r)
{
	return r->group_count;
}

/* ---- matching ---- */

static int count_step(pcre2_callout_block *block, void *context)
{
	(void)block;
	uint64_t *steps_left = context;
	return --*steps_left > 0 ? 0 : PCRE2_ERROR_CALLOUT;
}

static enum err_code fail_match(int code, struct str subject, struct error *reterr)
{
	PCRE2_UCHAR text[200];
	switch (code) {
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
	case PCRE2_ERROR_CALLOUT:
		return error_set(reterr, ERR_LIMIT,
		                 "pattern: too much backtracking on a text of %zu bytes, the search was "
		                 "given up (make the pattern more exact)",
		                 subject.len);
	case PCRE2_ERROR_NOMEMORY:
		return error_set(reterr, ERR_NOMEM, "pattern: out of memory on a text of %zu bytes", subject.len);
	default:
		if (pcre2_get_error_message(code, text, ARRAY_LEN(text)) < 0)
			text[0] = '\0';
		return error_set(reterr, ERR_INVALID, "pattern: the text cannot be searched: %s", (const char *)text);
	}
}

static void take_groups(const struct regex *r, pcre2_match_data *data, struct str subject,
                        struct regex_match *ret_match)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
	ret_match->count = r->group_count;
	for (size_t i = 0; i < REGEX_GROUPS_MAX; i++) {
		bool took_part = i < r->group_count && ends[2 * i] != PCRE2_UNSET;
		ret_match->group[i] = took_part ? str_make(subject.data + ends[2 * i], ends[2 * i + 1] - ends[2 * i])
		                                : str_make(NULL, 0);
	}
}

enum err_code regex_find(const struct regex *r, struct str subject, size_t from, bool *ret_found,
                         struct regex_match *ret_match, struct error *reterr)
{
	uint64_t steps_left = STEPS_MAX + (uint64_t)subject.len * STEPS_PER_BYTE;
	pcre2_match_context *context = NULL;
	pcre2_match_data *data = NULL;
	if (!subject.data)
		subject.data = "";
	if (from > subject.len) {
		*ret_found = false;
		return ERR_OK;
	}
	int code = PCRE2_ERROR_NOMEMORY;
	pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
	if (memory) {
		context = pcre2_match_context_create(memory);
		data = pcre2_match_data_create((uint32_t)r->group_count, memory);
	}
	if (context && data) {
		(void)pcre2_set_match_limit(context, MATCH_LIMIT); /* the setters always return 0 */
		(void)pcre2_set_depth_limit(context, DEPTH_LIMIT);
		(void)pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
		(void)pcre2_set_callout(context, count_step, &steps_left);
		code = pcre2_match(r->code, (PCRE2_SPTR)subject.data, subject.len, from, 0, data, context);
	}
	enum err_code err = code < 0 && code != PCRE2_ERROR_NOMATCH ? fail_match(code, subject, reterr) : ERR_OK;
	if (err == ERR_OK)
		*ret_found = code >= 0;
	if (code >= 0)
		take_groups(r, data, subject, ret_match);
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	pcre2_general_context_free(memory);
	return err;
}

size_t regex_after(struct str subject, const struct regex_match *match)
{
	size_t at = (size_t)(match->group[0].data - (subject.data ? subject.data : match->group[0].data)) +
	            match->group[0].len;
	if (match->group[0].len > 0)
		return at;
	uint32_t code;
	if (at >= subject.len)
		return subject.len + 1;
	(void)unicode_next(subject, &at, &code); /* the subject was matched, so it is valid */
	return at;
}
