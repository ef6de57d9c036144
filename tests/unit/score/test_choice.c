/* Goal: the choice that a person would read in an answer is read, and nothing is read into one that names none or two.
 */
#include "tests/support/cmocka_all.h"
#include "worker/score/choice.h"

struct choice_case {
	const char *answer;
	const char *want; /* "A".. = that choice, "-" = none, "A?B" = ambiguous between the two */
};

static void expect(const struct choice_list *list, const struct choice_case *rows, size_t count)
{
	unsigned wrong = 0;
	for (size_t i = 0; i < count; i++) {
		struct choice_reading r = choice_read(list, str_from(rows[i].answer));
		char got[4] = "-";
		if (r.verdict == CHOICE_ONE)
			(void)snprintf(got, sizeof(got), "%c", (char)('A' + r.index));
		if (r.verdict == CHOICE_AMBIGUOUS)
			(void)snprintf(got, sizeof(got), "%c?%c", (char)('A' + MIN_OF(r.index, r.other)),
			               (char)('A' + MAX_OF(r.index, r.other)));
		if (strcmp(got, rows[i].want) == 0)
			continue;
		print_error("row %zu: want %s, got %s (%s) in: %s\n", i, rows[i].want, got, r.how, rows[i].answer);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static const struct str capitals[] = { STR_INIT("Paris"), STR_INIT("London"), STR_INIT("New York"), STR_INIT("York") };

static void letters_are_read_where_they_can_only_be_labels(void **state)
{
	(void)state;
	static const struct choice_case rows[] = {
		{ "A", "A" },
		{ "b", "B" },
		{ "(A)", "A" },
		{ "[C]", "C" },
		{ "A.", "A" },
		{ "A)", "A" },
		{ " \n B \n", "B" },
		{ "**A**", "A" },
		{ "**A.**", "A" },
		{ "`D`", "D" },
		{ "\"B\"", "B" },
		{ "'B'", "B" },
		{ "```\nB\n```", "B" },
		{ "\xEF\xBC\xA2", "B" },
		{ "Answer: A", "A" },
		{ "answer: a", "A" },
		{ "ANSWER: C", "C" },
		{ "Answer:B", "B" },
		{ "Answer - D", "D" },
		{ "Answer\n\nD", "D" },
		{ "**Answer:** B", "B" },
		{ "Final answer: (C)", "C" },
		{ "The answer is A", "A" },
		{ "The answer is **A**", "A" },
		{ "The answer is (b).", "B" },
		{ "The answer is a.", "A" },
		{ "The correct answer is B because Paris is in France.", "B" },
		{ "The correct answer is option C.", "C" },
		{ "The correct option is (D), I am sure.", "D" },
		{ "The answer to this question is B.", "B" },
		{ "The answer would be C", "C" },
		{ "My answer is therefore D.", "D" },
		{ "So the answer is (B).", "B" },
		{ "I would choose C.", "C" },
		{ "I'd go with B, since it fits.", "B" },
		{ "I pick option D", "D" },
		{ "We select (A).", "A" },
		{ "Choice: B", "B" },
		{ "{\"answer\": \"C\"}", "C" },
		{ "$\\boxed{B}$", "B" },
		{ "The final answer is $\\boxed{\\text{C}}$.", "C" },
		{ "A) Paris", "A" },
		{ "A. Paris", "A" },
		{ "(A) Paris", "A" },
		{ "(A). Paris", "A" },
		{ "A: Paris", "A" },
		{ "A - Paris", "A" },
		{ "B\n\nBecause the Thames flows there.", "B" },
		{ "Let me think about rivers.\n\nB", "B" },
		{ "B. It is the capital of the United Kingdom.", "B" },
		{ "B, because it is.", "B" },
		{ "A, because it is.", "A" },
		{ "B is correct.", "B" },
		{ "(B) is the correct answer.", "B" },
		{ "Option A is right, option B is not.", "A" },
		{ "A is the best answer", "A" },
		{ "It must be (C).", "C" },
		{ "Clearly option B.", "B" },
		{ "I think it is B", "B" },
		{ "I think it's A.", "A" },
		{ "not A, so B", "B" },
		{ "(A) is wrong, so it must be (B).", "B" },
		{ "Rather than (A), (C).", "C" },
		{ "The answer is A. Wait, no: the answer is B.", "B" },
		{ "It is option b.", "B" },
		{ "Here **C** beats B", "C" },
		{ "Here `C` beats B", "C" },
		{ "Here 'C' beats B", "C" },
		{ "C may be close, but B is correct.", "B" },
		{ "B) The Thames is there; C has the Hudson.", "B" },
		{ "B. The Thames is there; C has the Hudson.", "B" },
		{ "B - C has the Hudson.", "B" },
		{ "B, since C has the Hudson.", "B" },
		{ "It must be (C), though B was close.", "C" },
		{ "I would choose C over B", "C" },
		{ "I'd go with B, as C is far.", "B" },
		{ "If asked we'd rather pick D than B", "D" },
		{ "The answer to question C is B.", "B" },
		{ "Instead of B it is C", "C" },
		{ "One of B", "B" },
		{ "It is not the option B but C", "C" },
		{ "\xEF\xBD\x81", "A" },
		{ "- B", "B" },
		{ "> **B)** London", "B" },
		{ "### Answer: D", "D" },
		{ "\xE7\xAD\x94\xE6\xA1\x88\xEF\xBC\x9A"
		  "B\xE3\x80\x82",
		  "B" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void a_letter_that_is_a_word_or_part_of_one_is_no_choice(void **state)
{
	(void)state;
	static const struct choice_case rows[] = {
		{ "A bank would know.", "-" },
		{ "A good question indeed", "-" },
		{ "a", "A" },
		{ "It is a city.", "-" },
		{ "The answer is a city in Europe.", "-" },
		{ "The answer is A city in Europe.", "-" },
		{ "Answer a question with care.", "-" },
		{ "An answer", "-" },
		{ "Ask D'Artagnan", "-" },
		{ "The U.S. and the B-52", "-" },
		{ "Answer: Banana", "-" },
		{ "**A**pples are fruit", "-" },
		{ "*a bank", "-" },
		{ "There is an option a bank offers.", "-" },
		{ "R&D, C++ and AC/DC", "-" },
		{ "Apples. Bananas. Cherries.", "-" },
		{ "ABC", "-" },
		{ "f(B)", "-" },
		{ "", "-" },
		{ "   ", "-" },
		{ "...", "-" },
		{ "E", "-" },
		{ "The answer is E.", "-" },
		{ "The answer is not B.", "-" },
		{ "I cannot say.", "-" },
		{ "None of them.", "-" },
		{ "?", "-" },
		{ "(", "-" },
		{ "Answer:", "-" },
		{ "boxed", "-" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void texts_are_read_whole_and_the_longest_wins(void **state)
{
	(void)state;
	static const struct choice_case rows[] = {
		{ "Paris", "A" },
		{ "paris.", "A" },
		{ "PARIS!", "A" },
		{ "\"Paris\"", "A" },
		{ "New York", "C" },
		{ "New  York", "C" },
		{ "new-york", "C" },
		{ "New_York", "C" },
		{ "York", "D" },
		{ "The answer is Paris.", "A" },
		{ "The answer is New York.", "C" },
		{ "Answer: york", "D" },
		{ "It is Paris, the city of light.", "A" },
		{ "Of course, the capital is London", "B" },
		{ "Paris is the correct answer, not London.", "A" },
		{ "London is larger. Paris is correct.", "A" },
		{ "not Paris but London", "B" },
		{ "Paris, because London is in England.", "A" },
		{ "The answer is Paris, although London is larger.", "A" },
		{ "xparis", "-" },
		{ "Parisian food", "-" },
		{ "Yorkshire", "-" },
		{ "Category: New York", "C" },
		{ "I choose London.", "B" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void two_choices_are_ambiguous(void **state)
{
	(void)state;
	static const struct choice_case rows[] = {
		{ "A or B", "A?B" },
		{ "A/B", "-" },
		{ "(A) or (B)", "A?B" },
		{ "The answer is A or B.", "A?B" },
		{ "Answer: A/B", "A?B" },
		{ "Answer: A, B", "A?B" },
		{ "Answer: A, B and C", "A?B" },
		{ "Answer: B and D", "B?D" },
		{ "Answer: A, B is wrong", "A" },
		{ "The answer is Paris or London.", "A?B" },
		{ "Paris or London", "A?B" },
		{ "A) London", "A?B" },
		{ "The answer is A) London", "A?B" },
		{ "Answer: B (Paris)", "A?B" },
		{ "A) Paris\nB) London\nC) New York", "A?C" },
		{ "A\nB", "A?B" },
		{ "Both (A) and (C) fit.", "A?C" },
		{ "B is correct. C is correct.", "B?C" },
		{ "Some may choose (A), others may choose (B).", "A?B" },
		{ "Vitamin C is found in Paris", "A?C" },
		{ "Nearly all people who live in that country would choose (A), many others here (B).", "A?B" },
		{ "Let us see.\nA) London\nas was said", "A?B" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void yes_and_no_can_be_choices(void **state)
{
	(void)state;
	static const struct str texts[] = { STR_INIT("Yes"), STR_INIT("No") };
	static const struct choice_case rows[] = {
		{ "Yes", "A" },
		{ "No.", "B" },
		{ "Yes, because there is no other way.", "A" },
		{ "No, yes would be wrong.", "B" },
		{ "No\nyes would be wrong", "B" },
		{ "The answer is no.", "B" },
		{ "Yes and no", "A?B" },
		{ "yes or no?", "A?B" },
		{ "I know nothing", "-" },
		{ "Yesterday", "-" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, texts, ARRAY_LEN(texts), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void texts_that_are_numbers_are_not_found_inside_numbers(void **state)
{
	(void)state;
	static const struct str texts[] = { STR_INIT("5"), STR_INIT("-5"), STR_INIT("0.5"), STR_INIT("15") };
	static const struct choice_case rows[] = {
		{ "5", "A" },
		{ "-5", "B" },
		{ "0.5", "C" },
		{ "The answer is 15.", "D" },
		{ "The answer is -5", "B" },
		{ "It is 5.", "A" },
		{ "It is 5.5", "-" },
		{ "It is 1,5", "-" },
		{ "It is 150", "-" },
		{ "C", "C" },
	};
	static const struct str few[] = { STR_INIT("5"), STR_INIT(".5"), STR_INIT("cole") };
	static const struct choice_case few_rows[] = {
		{ "-5", "-" },
		{ ".5", "B" },
		{ "It is .5.", "B" },
		{ "5.", "A" },
		{ "x-5", "A" },
		{ "\xC3\xA9"
		  "cole",
		  "-" },
		{ "It is 0.5", "-" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, texts, ARRAY_LEN(texts), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
	assert_true(choice_list_init(&list, few, ARRAY_LEN(few), true));
	expect(&list, few_rows, ARRAY_LEN(few_rows));
	choice_list_done(&list);
}

static void letters_mean_nothing_when_a_choice_is_another_letter(void **state)
{
	(void)state;
	static const struct str groups[] = { STR_INIT("O"), STR_INIT("A"), STR_INIT("B"), STR_INIT("AB") };
	static const struct choice_case rows[] = {
		{ "A", "B" }, { "The answer is B.", "C" }, { "O", "A" }, { "AB", "D" }, { "D", "-" },
	};
	static const struct str marks[] = { STR_INIT("A"), STR_INIT("B"), STR_INIT("C"), STR_INIT("F") };
	static const struct choice_case mark_rows[] = { { "B", "B" }, { "F", "D" }, { "The grade is C.", "C" } };
	struct choice_list list;
	assert_true(choice_list_init(&list, groups, ARRAY_LEN(groups), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
	static const struct str pair[] = { STR_INIT("x"), STR_INIT("A") };
	static const struct choice_case pair_rows[] = { { "A", "B" }, { "B", "-" }, { "x", "A" } };
	assert_true(choice_list_init(&list, pair, ARRAY_LEN(pair), true));
	expect(&list, pair_rows, ARRAY_LEN(pair_rows));
	choice_list_done(&list);
	assert_true(choice_list_init(&list, marks, ARRAY_LEN(marks), true));
	expect(&list, mark_rows, ARRAY_LEN(mark_rows));
	choice_list_done(&list);
}

static void letters_can_be_off_and_texts_unknown(void **state)
{
	(void)state;
	static const struct choice_case without_letters[] = { { "A", "-" }, { "Paris", "A" }, { "A) Paris", "A" } };
	static const struct choice_case without_texts[] = {
		{ "C", "C" }, { "E", "-" }, { "Paris", "-" }, { "The answer is b)", "B" }
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), false));
	expect(&list, without_letters, ARRAY_LEN(without_letters));
	choice_list_done(&list);
	assert_true(choice_list_init(&list, NULL, 4, true));
	expect(&list, without_texts, ARRAY_LEN(without_texts));
	choice_list_done(&list);
}

static void the_pronoun_is_no_ninth_choice(void **state)
{
	(void)state;
	static const struct choice_case rows[] = {
		{ "I", "I" },        { "I think so.", "-" },      { "I, personally, do not know", "-" },
		{ "I'm sure", "-" }, { "The answer is I.", "I" }, { "I think the answer is J", "J" },
		{ "(I)", "I" },      { "I) that one", "I" },      { "The answer is, I think, B.", "B" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, NULL, 10, true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void choices_beyond_the_alphabet_are_read_by_their_text(void **state)
{
	(void)state;
	struct str texts[40];
	char names[40][12];
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "topic_%zu", i);
		texts[i] = str_from(names[i]);
	}
	struct choice_list list;
	assert_true(choice_list_init(&list, texts, ARRAY_LEN(texts), true));
	struct choice_reading r = choice_read(&list, STR("The category is topic 33."));
	assert_int_equal(r.verdict, CHOICE_ONE);
	assert_int_equal(r.index, 33);
	r = choice_read(&list, STR("B")); /* no prompt shows letters for so many */
	assert_int_equal(r.verdict, CHOICE_NONE);
	choice_list_done(&list);
	assert_true(choice_list_init(&list, texts, 26, true));
	r = choice_read(&list, STR("Z"));
	assert_int_equal(r.verdict, CHOICE_ONE);
	assert_int_equal(r.index, 25);
	choice_list_done(&list);
}

static void other_scripts_and_case_meet(void **state)
{
	(void)state;
	static const struct str texts[] = { STR_INIT("\xC3\x89"
		                                     "cole"),
		                            STR_INIT("Stra\xC3\x9F"
		                                     "e"),
		                            STR_INIT("\xE4\xB8\x9C\xE4\xBA\xAC") };
	static const struct choice_case rows[] = {
		{ "\xC3\xA9"
		  "cole",
		  "A" },
		{ "E\xCC\x81"
		  "cole.",
		  "A" },
		{ "STRASSE", "B" },
		{ "\xE7\xAD\x94\xE6\xA1\x88\xE6\x98\xAF\xE4\xB8\x9C\xE4\xBA\xAC\xE3\x80\x82", "C" },
		{ "\xC3\xA9"
		  "coles",
		  "-" },
	};
	struct choice_list list;
	assert_true(choice_list_init(&list, texts, ARRAY_LEN(texts), true));
	expect(&list, rows, ARRAY_LEN(rows));
	choice_list_done(&list);
}

static void of_a_very_long_answer_the_end_is_read(void **state)
{
	(void)state;
	struct choice_list list;
	struct buf text;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 30000; i++)
		buf_append_c(&text, "the answer is \xE2\x82\xAC ");
	buf_append_c(&text, "\nAnswer: C");
	assert_true(choice_list_init(&list, capitals, ARRAY_LEN(capitals), true));
	struct choice_reading r = choice_read(&list, buf_str(&text));
	assert_int_equal(r.verdict, CHOICE_ONE);
	assert_int_equal(r.index, 2);
	choice_list_done(&list);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_are_read_where_they_can_only_be_labels),
		cmocka_unit_test(a_letter_that_is_a_word_or_part_of_one_is_no_choice),
		cmocka_unit_test(texts_are_read_whole_and_the_longest_wins),
		cmocka_unit_test(two_choices_are_ambiguous),
		cmocka_unit_test(yes_and_no_can_be_choices),
		cmocka_unit_test(texts_that_are_numbers_are_not_found_inside_numbers),
		cmocka_unit_test(letters_mean_nothing_when_a_choice_is_another_letter),
		cmocka_unit_test(letters_can_be_off_and_texts_unknown),
		cmocka_unit_test(the_pronoun_is_no_ninth_choice),
		cmocka_unit_test(choices_beyond_the_alphabet_are_read_by_their_text),
		cmocka_unit_test(other_scripts_and_case_meet),
		cmocka_unit_test(of_a_very_long_answer_the_end_is_read),
	};
	return cmocka_run_group_tests_name("choice", tests, NULL, NULL);
}
