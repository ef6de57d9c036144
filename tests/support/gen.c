#include "tests/support/gen.h"
#include "common/base/check.h"
#include "common/base/json_write.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- seeds ---- */

static uint64_t current_seed; /* a test program is one thread */
static bool walking;

/* In a program with sanitizers only. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void print_seed(void)
{
	if (walking)
		(void)fprintf(stderr, "seed %llu (again with ASSAY_SEED=%llu)\n", (unsigned long long)current_seed,
		              (unsigned long long)current_seed);
}

static uint64_t number_in(const char *variable, uint64_t fallback)
{
	uint64_t value;
	return str_to_u64(str_from(getenv(variable)), &value) ? value : fallback;
}

struct gen_seeds gen_seeds(uint64_t count)
{
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(print_seed);
	uint64_t only = number_in("ASSAY_SEED", 0);
	if (only)
		return (struct gen_seeds){ only, only + 1 };
	return (struct gen_seeds){ 1, 1 + count * number_in("ASSAY_SEEDS_TIMES", 1) };
}

bool gen_next(struct gen_seeds *s, struct rng *ret_rng)
{
	walking = s->next < s->end;
	if (!walking)
		return false;
	current_seed = s->next++;
	rng_seed(ret_rng, current_seed);
	return true;
}

uint64_t gen_seed(void)
{
	return current_seed;
}

int gen_report(void **state)
{
	(void)state;
	print_seed();
	walking = false;
	return 0;
}

/* ---- numbers ---- */

bool gen_chance(struct rng *r, unsigned percent)
{
	return rng_below(r, 100) < percent;
}

size_t gen_len(struct rng *r, size_t max)
{
	switch (rng_below(r, 10)) {
	case 0:
		return 0;
	case 1:
		return max;
	case 2:
	case 3:
		return (size_t)rng_below(r, max + 1);
	default:
		return (size_t)rng_below(r, MIN_OF(max, (size_t)12) + 1);
	}
}

int64_t gen_i64(struct rng *r)
{
	static const int64_t edges[] = {
		0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT32_MAX, (int64_t)1 << 53, 10
	};
	if (gen_chance(r, 20))
		return edges[rng_below(r, ARRAY_LEN(edges))];
	uint64_t magnitude = rng_next(r) >> rng_below(r, 64);
	return (int64_t)(gen_chance(r, 50) ? magnitude : ~magnitude);
}

double gen_double(struct rng *r)
{
	static const double edges[] = { 0.0,
		                        -0.0,
		                        1.0,
		                        0.1,
		                        5e-324,
		                        2.2250738585072014e-308,
		                        1.7976931348623157e308,
		                        1e17,
		                        1e16,
		                        9007199254740993.0,
		                        5.684341886080802e-14 };
	double value;
	switch (rng_below(r, 4)) {
	case 0:
		return edges[rng_below(r, ARRAY_LEN(edges))];
	case 1: /* as people write them */
		return (double)gen_i64(r) / pow(10, (double)rng_below(r, 20));
	case 2:
		return rng_unit(r);
	default:
		do {
			uint64_t bits = rng_next(r);
			memcpy(&value, &bits, sizeof(value));
		} while (!isfinite(value));
		return value;
	}
}

/* ---- text ---- */

void gen_bytes(struct rng *r, struct buf *out, size_t len_max)
{
	for (size_t left = gen_len(r, len_max); left > 0; left--)
		(void)buf_append_char(out, (char)rng_next(r)); /* a full buffer stays failed; the same below */
}

void gen_name(struct rng *r, struct buf *out, size_t len_max)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz", rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	(void)buf_append_char(out, first[rng_below(r, sizeof(first) - 1)]);
	for (size_t left = len_max > 1 ? gen_len(r, len_max - 1) : 0; left > 0; left--)
		(void)buf_append_char(out, rest[rng_below(r, sizeof(rest) - 1)]);
}

static void append_code(struct buf *out, uint32_t code)
{
	unsigned tails = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const unsigned char leads[] = { 0, 0xC0, 0xE0, 0xF0 };
	(void)buf_append_char(out, (char)(leads[tails] | code >> (6 * tails)));
	while (tails-- > 0)
		(void)buf_append_char(out, (char)(0x80 | (code >> (6 * tails) & 0x3F)));
}

static uint32_t code_point(struct rng *r)
{
	/* NUL, escapes, the last of each length, marks that reorder, letters that fold to more, joiners, sides of gaps
	 */
	static const uint32_t odd[] = { 0,      '\n',   '\t',    0x1B,   '"',    '\\',   0x7F,    0x80,
		                        0x7FF,  0x800,  0xD7FF,  0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF,
		                        0x301,  0x323,  0x345,   0xDF,   0x130,  0x1E9E, 0x3A3,   0x200D,
		                        0x202E, 0xFEFF, 0x1F600, 0xAC00, 0x2028, 0xFB03 };
	switch (rng_below(r, 6)) {
	case 0:
		return odd[rng_below(r, ARRAY_LEN(odd))];
	case 1:
		return 0xA0 + (uint32_t)rng_below(r, 0x700);
	case 2:
		return (uint32_t)rng_below(r, 0xD800);
	case 3:
		return 0x10000 + (uint32_t)rng_below(r, 0x20000);
	default:
		return ' ' + (uint32_t)rng_below(r, 95);
	}
}

void gen_text(struct rng *r, struct buf *out, size_t len_max)
{
	for (size_t left = gen_len(r, len_max); left > 0; left--)
		append_code(out, code_point(r));
}

void gen_broken_text(struct rng *r, struct buf *out, size_t len_max)
{
	static const char *const broken[] = { "\xff",         "\x80",     "\xC3",         "\xE2\x82",
		                              "\xF0\x9F\x98", "\xC0\xAF", "\xED\xA0\xBD", "\xF4\x90\x80\x80",
		                              "\xE0\x80\x80" };
	for (size_t left = gen_len(r, len_max); left > 0; left--) {
		if (gen_chance(r, 30))
			(void)buf_append_c(out, broken[rng_below(r, ARRAY_LEN(broken))]);
		else
			append_code(out, code_point(r));
	}
}

/* ---- JSON ---- */

static void gen_space(struct rng *r, struct buf *out)
{
	static const char spaces[] = " \t\n\r";
	while (gen_chance(r, 15))
		(void)buf_append_char(out, spaces[rng_below(r, 4)]);
}

static void json_text(struct rng *r, struct buf *out, struct str prefix)
{
	struct buf text;
	struct json_write w;
	buf_init(&text, 4096);
	(void)buf_append_str(&text, prefix);
	gen_text(r, &text, 30);
	json_write_init(&w, out, false);
	json_write_str(&w, buf_str(&text));
	buf_done(&text);
}

static void json_number(struct rng *r, struct buf *out)
{
	struct json_write w;
	json_write_init(&w, out, false);
	if (gen_chance(r, 50))
		json_write_i64(&w, gen_i64(r));
	else
		json_write_num(&w, gen_double(r));
}

static void json_node(struct rng *r, struct buf *out, unsigned depth_left)
{
	static const char *const words[] = { "null", "true", "false" };
	unsigned kind = (unsigned)rng_below(r, depth_left > 0 ? 6 : 3);
	gen_space(r, out);
	if (kind == 0) {
		(void)buf_append_c(out, words[rng_below(r, 3)]);
	} else if (kind == 1) {
		json_number(r, out);
	} else if (kind == 2) {
		json_text(r, out, STR(""));
	} else {
		bool is_object = kind > 3;
		size_t count = gen_len(r, 8);
		(void)buf_append_char(out, is_object ? '{' : '[');
		for (size_t i = 0; i < count; i++) {
			(void)buf_append_c(out, i ? "," : "");
			gen_space(r, out);
			if (is_object) /* numbered, so that keys are unique */
				(void)buf_printf(out, "\"%c%zu\":", "zaZ~/"[rng_below(r, 5)], i);
			json_node(r, out, depth_left - 1);
		}
		gen_space(r, out);
		(void)buf_append_char(out, is_object ? '}' : ']');
	}
	gen_space(r, out);
}

void gen_json(struct rng *r, struct buf *out, unsigned depth_max)
{
	json_node(r, out, depth_max);
}

/* ---- damage ---- */

void gen_mangle(struct rng *r, struct buf *b)
{
	for (size_t times = 1 + gen_len(r, 6); times > 0 && b->len > 0; times--) {
		size_t at = (size_t)rng_below(r, b->len), len = 1 + gen_len(r, b->len - at - 1);
		switch (rng_below(r, 5)) {
		case 0:
			b->data[at] = (char)(b->data[at] ^ (1 << rng_below(r, 8)));
			break;
		case 1:
			b->data[at] = "\0{}[]\",:\\-e&*!%\xff"[rng_below(r, 16)];
			break;
		case 2: /* cut out */
			memmove(b->data + at, b->data + at + len, b->len - at - len);
			b->len -= len;
			break;
		case 3: /* doubled; the piece is read before it could move */
			if (buf_reserve(b, len)) {
				memmove(b->data + at + len, b->data + at, b->len - at);
				b->len += len;
			}
			break;
		default: /* cut off */
			if (gen_chance(r, 20))
				b->len = at;
			break;
		}
	}
	if (b->data)
		b->data[b->len] = '\0';
}
