/* Goal: the estimate stays within 10 % of what a real vocabulary (SmolLM2's, asked for these texts) counts. */
#include "coordinator/http/estimate.h"
#include "tests/support/cmocka_all.h"
#include <math.h>

static const struct {
	const char *text;
	double tokens;
} counted[] = {
	{ "Which section of a software archive does this package belong to?\nA. games\nB. sound\nC. net\nD. "
	  "science\nE. fonts\nF. database\nG. mail\nH. editors\nPackage: command line client that sends letters to "
	  "many people at once\nAnswer with one letter.",
	  64 },
	{ "You sort messages that customers send to a shop. To which queue does this message belong? Where is the "
	  "money for the kettle that I sent back two weeks ago? Nobody answers the telephone, and your own page still "
	  "says that the parcel is on its way.",
	  52 },
	{ "static int compare(const void *a, const void *b)\n{\n\tconst struct drawn *x = a, *y = b;\n\tif (x->key != "
	  "y->key)\n\t\treturn x->key < y->key ? -1 : 1;\n\treturn x->item_no > y->item_no;\n}\n",
	  78 },
	{ "{\"id\": \"refund-17\", \"input\": \"My parcel should have come on Monday.\", \"choices\": [\"refund\", "
	  "\"delivery\", \"account\"], \"metadata\": {\"stratum\": \"delivery\"}, \"weight\": 0.125}",
	  55 },
	{ "A baker sells 48 loaves at 3.75 each, 120 rolls at 0.45 each and 16 cakes at 22.50 each. How much does she "
	  "take in all, and how much is left once she has paid 310.00 for flour?",
	  69 },
};

static void texts_are_estimated_as_a_real_vocabulary_counts_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		double estimated = estimate_tokens(str_from(counted[i].text));
		if (fabs(estimated / counted[i].tokens - 1) > 0.1)
			fail_msg("%.1f, not %.0f tokens: %s", estimated, counted[i].tokens, counted[i].text);
	}
}

static void nothing_is_no_token_and_any_bytes_are_some(void **state)
{
	(void)state;
	assert_true(estimate_tokens(STR("")) == 0);
	assert_true(estimate_tokens(STR(" ")) == 0);
	assert_true(estimate_tokens(STR("\x00\xff\x80")) > 0);
	assert_true(estimate_tokens(STR("2026")) == 4);
}

static void a_hosted_model_without_a_system_prompt_brings_its_own(void **state)
{
	(void)state;
	double bare = estimate_template_tokens(1, false, false);
	assert_true(estimate_template_tokens(1, false, true) > bare + 10);
	assert_true(estimate_template_tokens(1, true, true) == bare);
	assert_true(estimate_template_tokens(2, true, true) > bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_estimated_as_a_real_vocabulary_counts_them),
		cmocka_unit_test(nothing_is_no_token_and_any_bytes_are_some),
		cmocka_unit_test(a_hosted_model_without_a_system_prompt_brings_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
