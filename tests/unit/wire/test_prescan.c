/* Goal: bytes that could hurt protobuf-c, or that it would take for what they are not, never reach it. */
#include "common/base/buf.h"
#include "common/wire/msg.h"
#include "common/wire/prescan.h"
#include "tests/support/cmocka_all.h"

static struct str from_hex(struct buf *out, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	buf_clear(out);
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		unsigned high = (unsigned)(strchr(digits, hex[0]) - digits),
			 low = (unsigned)(strchr(digits, hex[1]) - digits);
		assert_true(high < 16 && low < 16);
		assert_true(buf_append_char(out, (char)(high << 4 | low)));
		hex++;
	}
	return buf_str(out);
}

// clang-format off
/* Field numbers: Frame: version 1, number 2, session 3, hello 10 (tag 52), grant 27 (da 01), drain 28 (e2 01), commit
 * 24 (c2 01). Tags: number << 3 | type; 0 varint, 1 eight bytes, 2 length, 3 and 4 groups, 5 four bytes. */
static const struct {
	const char *title, *hex;
	enum err_code code;
	const char *text; /* what the message must contain */
} cases[] = {
	{ "nothing at all",                     "",                               ERR_OK, "" },
	{ "a version",                          "08 01",                          ERR_OK, "" },
	{ "a number in more bytes than needed", "08 81 80 00",                    ERR_OK, "" },
	{ "an unknown field of each type",      "20 01 29 0000000000000000 32 02 ffff 3d 00000000", ERR_OK, "" },
	{ "an unknown field of a high number",  "f8 ff ff ff 0f 01",              ERR_OK, "" },
	{ "an empty body",                      "e2 01 00",                       ERR_OK, "" },
	{ "text in a body",                     "e2 01 04 0a 02 c3 a9",           ERR_OK, "" },
	{ "packed numbers",                     "c2 01 07 52 05 01 02 03 ff 01",  ERR_OK, "" },
	{ "the same, one tag each",             "c2 01 04 50 01 50 02",           ERR_OK, "" },
	{ "an unknown field in a body",         "e2 01 02 78 01",                 ERR_OK, "" },
	{ "a cut tag",                          "88",                             ERR_CORRUPT, "Frame at byte 0: no field" },
	{ "a tag of six bytes",                 "88 80 80 80 80 00",              ERR_CORRUPT, "no field" },
	{ "field number zero",                  "00 01",                          ERR_CORRUPT, "no field" },
	{ "a tag over 32 bits",                 "f8 ff ff ff 1f 01",              ERR_CORRUPT, "no field" },
	{ "a cut number",                       "08",                             ERR_CORRUPT, "Frame.version at byte 0: a number is cut" },
	{ "a number of eleven bytes",           "10 80 80 80 80 80 80 80 80 80 80 00", ERR_CORRUPT, "too long" },
	{ "a number of 65 bits",                "10 ff ff ff ff ff ff ff ff ff 02", ERR_CORRUPT, "too long" },
	{ "a number of 64 bits",                "10 ff ff ff ff ff ff ff ff ff 01", ERR_OK, "" },
	{ "64 bits where 32 belong",            "08 ff ff ff ff 1f",              ERR_CORRUPT, "out of range" },
	{ "a flag of two",                      "52 02 40 02",                    ERR_CORRUPT, "Hello.draining at byte 2: a number is out of range" },
	{ "a negative enum",                    "aa 01 0b 08 ff ff ff ff ff ff ff ff ff 01", ERR_CORRUPT, "Refused.cause" },
	{ "a cut eight-byte number",            "19 00 00 00 00",                 ERR_CORRUPT, "Frame.session at byte 0: a number is cut" },
	{ "a cut four-byte number",             "3d 00 00",                       ERR_CORRUPT, "a number is cut" },
	{ "a length past the end",              "52 02 00",                       ERR_CORRUPT, "a length passes the end" },
	{ "a length past the end of its body",  "52 02 2a 01 08 01",              ERR_CORRUPT, "Hello.name at byte 2: a length passes" },
	{ "a length of 2^32 - 1",               "52 ff ff ff ff 0f",              ERR_CORRUPT, "a length passes the end" },
	{ "a length of six bytes",              "52 80 80 80 80 80 00",           ERR_CORRUPT, "a length is cut or too long" },
	{ "a group",                            "0b 0c",                          ERR_CORRUPT, "groups" },
	{ "an unknown group",                   "23 24",                          ERR_CORRUPT, "Frame at byte 0: groups" },
	{ "the end of a group",                 "0c",                             ERR_CORRUPT, "groups" },
	{ "wire type 6",                        "0e 00",                          ERR_CORRUPT, "does not exist" },
	{ "wire type 7",                        "0f 00",                          ERR_CORRUPT, "does not exist" },
	{ "text where a number belongs",        "0a 01 31",                       ERR_CORRUPT, "Frame.version at byte 0: has the wrong wire type" },
	{ "a number where a body belongs",      "50 01",                          ERR_CORRUPT, "wrong wire type" },
	{ "four bytes where eight belong",      "1d 00 00 00 00",                 ERR_CORRUPT, "wrong wire type" },
	{ "a field twice",                      "08 01 08 01",                    ERR_CORRUPT, "is there twice" },
	{ "the same body twice",                "e2 01 00 e2 01 00",              ERR_CORRUPT, "a frame has one body" },
	{ "two bodies",                         "da 01 00 e2 01 00",              ERR_CORRUPT, "a frame has one body" },
	{ "text with NUL",                      "e2 01 03 0a 01 00",              ERR_CORRUPT, "Drain.reason at byte 3: text" },
	{ "text with NUL among eight",          "e2 01 0b 0a 09 61616161 00 616161 61", ERR_CORRUPT, "text" },
	{ "text with NUL far in",               "e2 01 0e 0a 0c 61616161 61616161 6161 00 61", ERR_CORRUPT, "text" },
	{ "text with a cut character",          "e2 01 03 0a 01 c3",              ERR_CORRUPT, "text" },
	{ "text with half a surrogate pair",    "e2 01 05 0a 03 ed a0 80",        ERR_CORRUPT, "text" },
	{ "text with an overlong slash",        "e2 01 04 0a 02 c0 af",           ERR_CORRUPT, "text" },
	{ "NUL after a broken start",           "e2 01 04 0a 02 ff 00",           ERR_CORRUPT, "text" },
	{ "bytes with NUL",                     "52 03 22 01 00",                 ERR_OK, "" },
	{ "packed numbers that are cut",        "c2 01 03 52 01 80",              ERR_CORRUPT, "Commit.firsts at byte 5: a packed number is cut" },
	{ "packed 32-bit numbers out of range", "ca 01 07 52 05 ff ff ff ff 1f",  ERR_CORRUPT, "a packed number is out of range" },
	{ "packed eights that do not fill up",  "6a 09 5a 07 00000000000000",     ERR_CORRUPT, "do not fill" },
	{ "packed where one number belongs",    "0a 02 01 01",                    ERR_CORRUPT, "wrong wire type" },
};
// clang-format on

static void each_case_gets_its_answer(void **state)
{
	(void)state;
	struct buf bytes;
	buf_init(&bytes, 1 << 10);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error error = { .text = "" };
		enum err_code code = prescan_check(from_hex(&bytes, cases[i].hex), &schema_frame, &error);
		if (code != cases[i].code || !strstr(error.text, cases[i].text))
			fail_msg("%s: %s gave %s: \"%s\", not %s: \"%s\"", cases[i].title, cases[i].hex,
			         error_code_name(code), error.text, error_code_name(cases[i].code), cases[i].text);
	}
	buf_done(&bytes);
}

static void add_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		assert_true(buf_append_char(b, (char)(v | 0x80)));
	assert_true(buf_append_char(b, (char)v));
}

/* `count` copies of `piece`, as the content of the field with this tag. */
static void add_many(struct buf *b, uint64_t tag, struct str piece, size_t count)
{
	add_varint(b, tag);
	add_varint(b, count * piece.len);
	for (size_t i = 0; i < count; i++)
		assert_true(buf_append_str(b, piece));
}

enum { TAG_RESULTS = 12 << 3 | 2, TAG_LEASE = 23 << 3 | 2, TAG_HELLO = 10 << 3 | 2 };

static void a_million_empty_messages_are_refused_at_the_bound(void **state)
{
	(void)state;
	struct buf bytes;
	struct error error;
	buf_init(&bytes, 8 << 20);
	add_many(&bytes, TAG_RESULTS, STR("\x0A\x00"), 1000000);
	assert_int_equal(prescan_check(buf_str(&bytes), &schema_frame, &error), ERR_LIMIT);
	assert_string_equal(error.text, "Results.records at byte 516: too many elements");
	buf_clear(&bytes);
	add_many(&bytes, TAG_RESULTS, STR("\x0A\x00"), WIRE_RESULTS_RECORDS_MAX);
	assert_ok(prescan_check(buf_str(&bytes), &schema_frame, &error), &error);
	buf_done(&bytes);
}

static void unknown_fields_are_allowed_but_counted(void **state)
{
	(void)state;
	struct buf bytes;
	struct error error;
	buf_init(&bytes, 8 << 20);
	for (size_t i = 0; i < PRESCAN_FIELDS_MAX; i++)
		assert_true(buf_append_str(&bytes, STR("\x20\x01")));
	assert_ok(prescan_check(buf_str(&bytes), &schema_frame, &error), &error);
	assert_true(buf_append_str(&bytes, STR("\x20\x01")));
	assert_int_equal(prescan_check(buf_str(&bytes), &schema_frame, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too many fields"));
	buf_done(&bytes);
}

static void packed_elements_are_counted_across_their_pieces(void **state)
{
	(void)state;
	struct buf body, bytes;
	struct error error;
	buf_init(&body, 8 << 20);
	buf_init(&bytes, 8 << 20);
	for (int i = 0; i < 2; i++)
		add_many(&body, 20 << 3 | 2, STR("\x07"), WIRE_LEASE_SAMPLES_MAX / 2);
	add_many(&bytes, TAG_LEASE, buf_str(&body), 1);
	assert_ok(prescan_check(buf_str(&bytes), &schema_frame, &error), &error);
	assert_true(buf_append_str(&body, STR("\xA0\x01\x07"))); /* one more, with its own tag */
	buf_clear(&bytes);
	add_many(&bytes, TAG_LEASE, buf_str(&body), 1);
	assert_int_equal(prescan_check(buf_str(&bytes), &schema_frame, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "Lease.sample_nos"));
	buf_done(&body);
	buf_done(&bytes);
}

/* No message holds itself, so nesting past the schema is content of bytes or of an unknown field: never looked into. */
static void nesting_of_ten_thousand_levels_is_content_or_an_error(void **state)
{
	(void)state;
	static const struct {
		uint32_t field;
		enum err_code code;
	} cases_of[] = {
		{ 9, ERR_OK },       /* unknown */
		{ 12, ERR_OK },      /* Results, in which 12 is unknown */
		{ 10, ERR_CORRUPT }, /* Hello, in which 10 is a number */
		{ 20, ERR_LIMIT },   /* Welcome, in which 20 are packed numbers: too many */
	};
	struct buf inner, outer;
	struct error error;
	buf_init(&inner, 1 << 20);
	buf_init(&outer, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(cases_of); i++) {
		buf_clear(&inner);
		for (int level = 0; level < 10000; level++) {
			buf_clear(&outer);
			add_many(&outer, cases_of[i].field << 3 | 2, buf_str(&inner), 1);
			struct buf swap = inner;
			inner = outer;
			outer = swap;
		}
		enum err_code code = prescan_check(buf_str(&inner), &schema_frame, &error);
		assert_int_equal(code, cases_of[i].code);
	}
	buf_done(&inner);
	buf_done(&outer);
}

static void a_schema_that_holds_itself_is_walked_eight_levels_deep(void **state)
{
	(void)state;
	struct schema_message loop = { "Loop", NULL, 1 };
	const struct schema_field fields[] = { { "again", 1, SCHEMA_MESSAGE, 0, &loop } };
	loop.fields = fields;
	struct error error;
	struct str seven = STR("\x0A\x0C\x0A\x0A\x0A\x08\x0A\x06\x0A\x04\x0A\x02\x0A\x00");
	assert_ok(prescan_check(seven, &loop, &error), &error);
	struct str eight = STR("\x0A\x0E\x0A\x0C\x0A\x0A\x0A\x08\x0A\x06\x0A\x04\x0A\x02\x0A\x00");
	assert_int_equal(prescan_check(eight, &loop, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "nested too deep"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case_gets_its_answer),
		cmocka_unit_test(a_million_empty_messages_are_refused_at_the_bound),
		cmocka_unit_test(unknown_fields_are_allowed_but_counted),
		cmocka_unit_test(packed_elements_are_counted_across_their_pieces),
		cmocka_unit_test(nesting_of_ten_thousand_levels_is_content_or_an_error),
		cmocka_unit_test(a_schema_that_holds_itself_is_walked_eight_levels_deep),
	};
	return cmocka_run_group_tests_name("prescan", tests, NULL, NULL);
}
