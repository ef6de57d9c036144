/* Goal: libyaml's own allocations may fail as well as ours: each failure is told as out of memory, and nothing leaks.
 *
 * libyaml calls its four functions of memory through the dynamic linker, so those of this program take their place and
 * mem_fail_at() counts both sides' allocations in one row. */
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "tests/support/cmocka_all.h"
#include <string.h>

enum { CALLS_MIN = 15, CALLS_MAX = 5000 };

static uint64_t foreign_calls;
static int64_t alive; /* what libyaml holds */

void *yaml_malloc(size_t size);
void *yaml_malloc(size_t size)
{
	void *p = mem_try_new(1, size ? size : 1);
	foreign_calls++;
	alive += p != NULL;
	return p;
}

void *yaml_realloc(void *old, size_t size);
void *yaml_realloc(void *old, size_t size)
{
	void *p = mem_try_grow(old, size ? size : 1, 1);
	foreign_calls++;
	alive += p && !old;
	return p;
}

char *yaml_strdup(const char *text);
char *yaml_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = yaml_malloc(size);
	if (copy)
		memcpy(copy, text, size);
	return copy;
}

void foreign_free(void *p) __asm__("yaml_free");
void foreign_free(void *p)
{
	alive -= p != NULL;
	mem_free(p);
}

static const char *const texts[] = {
	"a: [1, {b: 2, c: 3}, \"x\\u00e9\\n\"]\nd: text\nlong: >\n  folded\n  text\nlast: |-\n  kept\n   as it is\n",
	"%YAML 1.1\n---\n- !!str 5\n- 'single ''quoted'''\n- {}\n- []\n- ~\n...\n",
	"a: 1\na: 2\n",
	"a: [1, 2\nb: 3\n",
	"a: &x 1\nb: *x\n",
};

/* Each text with the nth allocation of either side failing, until it is read as if none had failed. */
static void every_failed_allocation_of_libyaml_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct error plain = { .text = "" }, e = { .text = "" };
		struct yaml_doc *doc = NULL;
		uint64_t nth = 1, refused;
		enum err_code err = yaml_parse(str_from(texts[i]), "s.yaml", &doc, &plain), said = err;
		yaml_free(doc);
		assert_int_equal(alive, 0);
		for (foreign_calls = 0;; nth++) {
			doc = NULL;
			refused = mem_refused_count();
			mem_fail_at(nth);
			err = yaml_parse(str_from(texts[i]), "s.yaml", &doc, &e);
			mem_fail_at(0);
			refused = mem_refused_count() - refused;
			yaml_free(doc);
			if (alive != 0)
				fail_msg("text %zu, allocation %llu: %lld stay behind", i, (unsigned long long)nth,
				         (long long)alive);
			if (refused == 0)
				break;
			if (err != ERR_NOMEM)
				fail_msg("text %zu, allocation %llu: %s, \"%s\"", i, (unsigned long long)nth,
				         error_code_name(err), e.text);
		}
		assert_int_equal(err, said);
		assert_string_equal(err ? e.text : "", plain.text);
		assert_true(foreign_calls > CALLS_MIN);
		assert_in_range(nth, CALLS_MIN, CALLS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failed_allocation_of_libyaml_is_told_and_leaks_nothing),
	};
	return cmocka_run_group_tests_name("yaml memory", tests, NULL, NULL);
}
