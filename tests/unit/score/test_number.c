/* Goal: numbers are found in prose with their right value, and what only looks like one is not. */
#include "tests/support/cmocka_all.h"
#include "worker/score/number.h"
#include <math.h>
#include <stdio.h>

enum { ANY = NUMBER_COMMAS | NUMBER_CURRENCY | NUMBER_PERCENT | NUMBER_UNITS };

/* All numbers of a text as "text=value" joined by blanks. */
static void list(const char *text, unsigned ignore, char *out, size_t out_bytes)
{
	struct number n;
	size_t len = 0;
	out[0] = '\0';
	for (size_t at = 0; number_next(str_from(text), &at, ignore, &n);)
		len += (size_t)snprintf(out + len, out_bytes - len, "%s%.*s=%.9g", len ? " " : "", STR_ARG(n.text),
		                        n.value);
}

static void numbers_are_found_in_prose(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned ignore;
		const char *want;
	} rows[] = {
		{ "42", ANY, "42=42" },
		{ "It costs $1,234.50 in all.", ANY, "1,234.50=1234.5" },
		{ "1,234,567", ANY, "1,234,567=1234567" },
		{ "12,34,567 rupees", ANY, "12,34,567=1234567" },
		{ "1,2,3", ANY, "1=1 2=2 3=3" },
		{ "1,2345", ANY, "1=1 2345=2345" },
		{ "1234,567", ANY, "1234=1234 567=567" },
		{ "1,234", ANY & ~(unsigned)NUMBER_COMMAS, "1=1 234=234" },
		{ "-3 and (-4) and =-5", ANY, "-3=-3 -4=-4 -5=-5" },
		{ "\xE2\x88\x92"
		  "7",
		  ANY,
		  "\xE2\x88\x92"
		  "7=-7" },
		{ "+8", ANY, "+8=8" },
		{ "10-12", ANY, "10=10 12=12" },
		{ "3 - 5", ANY, "3=3 5=5" },
		{ "(2)-1", ANY, "2=2 1=1" },
		{ "--6", ANY, "6=6" },
		{ "-$5", ANY, "-$5=-5" },
		{ "$-5", ANY, "-5=-5" },
		{ "\xE2\x82\xAC"
		  "9 and 9\xC2\xA3",
		  ANY, "9=9 9=9" },
		{ "$9 and 8", ANY & ~(unsigned)NUMBER_CURRENCY, "8=8" },
		{ "9\xE2\x82\xAC and 8", ANY & ~(unsigned)NUMBER_CURRENCY, "8=8" },
		{ "50% or 25 % or 10\\%", ANY, "50=50 25=25 10=10" },
		{ "50% or 25 % or 10\\%", ANY & ~(unsigned)NUMBER_PERCENT, "50=0.5 25=0.25 10=0.1" },
		{ "5kg, 3D, 2nd", ANY, "5=5 3=3 2=2" },
		{ "5kg, 3 D, 2nd", ANY & ~(unsigned)NUMBER_UNITS, "3=3" },
		{ "B12, GPT-4, x_1, COVID-19", ANY, "" },
		{ "_42_ and **7** and a 5", ANY, "42=42 7=7 5=5" },
		{ "1.2.3 and 12.05.2024 and 5", ANY, "5=5" },
		{ "It is 5. Yes", ANY, "5=5" },
		{ ".5 and 0.5 and 5.", ANY, ".5=0.5 0.5=0.5 5=5" },
		{ "1e3, 2E-2, 3e+1, 4e, 5ex", ANY, "1e3=1000 2E-2=0.02 3e+1=30 4=4 5=5" },
		{ "3/4 of it", ANY, "3/4=0.75" },
		{ "-1/2", ANY, "-1/2=-0.5" },
		{ "05/06/2024", ANY, "05=5 06=6 2024=2024" },
		{ "1/0", ANY, "1=1 0=0" },
		{ "1/2.5", ANY, "1=1 2.5=2.5" },
		{ "1.5/2", ANY, "1.5=1.5 2=2" },
		{ "1/2x", ANY, "1=1 2=2" },
		{ "<<16-3=13>>13", ANY, "16=16 3=3 13=13 13=13" },
		{ "#### 72", ANY, "72=72" },
		{ "\\boxed{42}", ANY, "42=42" },
		{ "\xE7\xAD\x94\xE6\xA1\x88\xE6\x98\xAF"
		  "42\xE3\x80\x82",
		  ANY, "42=42" },
		{ "1e999 and 7", ANY, "7=7" },
		{ "007", ANY, "007=7" },
		{ "none", ANY, "" },
		{ "", ANY, "" },
		{ ". , - $ %", ANY, "" },
	};
	char got[400];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		list(rows[i].text, rows[i].ignore, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu '%s' gave '%s', not '%s'", i, rows[i].text, got, rows[i].want);
	}
}

static void first_and_last_are_the_ends_of_the_list(void **state)
{
	(void)state;
	struct number n;
	assert_true(number_first(STR("a 1 b 2 c 3"), ANY, &n));
	assert_true(n.value == 1);
	assert_true(number_last(STR("a 1 b 2 c 3"), ANY, &n));
	assert_true(n.value == 3);
	assert_false(number_first(STR("x"), ANY, &n));
	assert_false(number_last(STR("x"), ANY, &n));
}

static void a_lone_number_may_wear_its_signs_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned ignore;
		double want; /* NAN: not a lone number */
	} rows[] = {
		{ " 42 \n", ANY, 42 },
		{ "42.", ANY, 42 },
		{ "-$1,000", ANY, -1000 },
		{ "- 5", ANY, 5 },
		{ "$ 5", ANY, 5 },
		{ "5 \xE2\x82\xAC", ANY, 5 },
		{ "50 %", ANY, 50 },
		{ "50 %", ANY & ~(unsigned)NUMBER_PERCENT, 0.5 },
		{ "42 apples", ANY, 42 },
		{ "42 apples.", ANY, 42 },
		{ "5kg", ANY, 5 },
		{ "42 apples", ANY & ~(unsigned)NUMBER_UNITS, NAN },
		{ "5kg", ANY & ~(unsigned)NUMBER_UNITS, NAN },
		{ "42 red apples", ANY, NAN },
		{ "x 42", ANY, NAN },
		{ "about 42", ANY, NAN },
		{ "41 42", ANY, NAN },
		{ "", ANY, NAN },
		{ "$5", ANY & ~(unsigned)NUMBER_CURRENCY, NAN },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct number n = { .value = NAN };
		bool found = number_only(str_from(rows[i].text), rows[i].ignore, &n);
		if (found != !isnan(rows[i].want) || (found && n.value != rows[i].want))
			fail_msg("'%s' gave %d %g", rows[i].text, found, n.value);
	}
}

static void a_literal_of_any_length_is_no_danger(void **state)
{
	(void)state;
	char text[5000];
	struct number n;
	memset(text, '1', sizeof(text));
	assert_false(number_first(str_make(text, sizeof(text)), ANY, &n));
	assert_true(number_first(str_make(text, 300), ANY, &n));
	assert_true(n.value > 1e299);
	memset(text, '0', sizeof(text));
	assert_false(number_first(str_make(text, sizeof(text)), ANY, &n));
	for (size_t i = 0; i < sizeof(text); i += 4)
		text[i] = ',';
	assert_false(number_only(str_make(text, sizeof(text)), ANY, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_found_in_prose),
		cmocka_unit_test(first_and_last_are_the_ends_of_the_list),
		cmocka_unit_test(a_lone_number_may_wear_its_signs_only),
		cmocka_unit_test(a_literal_of_any_length_is_no_danger),
	};
	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
