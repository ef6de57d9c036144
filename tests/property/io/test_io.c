/* Properties of common/io against naive models: the ring, the secret filter, times, command lines. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/config.h"
#include "common/io/ring.h"
#include "common/io/secrets.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdio.h>

/* A ring is a list with a limit. */
static void a_ring_does_what_a_list_with_a_limit_does(void **state)
{
	enum { MODEL_MAX = 4096 };
	static int things[MODEL_MAX];
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &rng);) {
		size_t capacity = 1 + rng_below(&rng, 20), first = 0, last = 0, reserved = 0;
		struct ring *r;
		struct error error;
		assert_ok(ring_new(capacity, &r, &error), &error);
		for (int step = 0; step < 300; step++) {
			size_t count = rng_below(&rng, 8), room = capacity - (last - first) - reserved;
			void *batch[8], *out[8];
			for (size_t i = 0; i < count; i++)
				batch[i] = &things[last + i];
			switch (rng_below(&rng, 5)) {
			case 0:
				assert_int_equal(ring_try_push_many(r, batch, count), MIN_OF(count, room));
				last += MIN_OF(count, room);
				break;
			case 1:
				assert_int_equal(ring_reserve(r, count), count <= room);
				reserved += count <= room ? count : 0;
				break;
			case 2:
				if (reserved && gen_chance(&rng, 50)) {
					ring_unreserve(r, 1);
					reserved--;
				} else if (reserved) {
					assert_true(ring_push_reserved(r, &things[last]));
					last++;
					reserved--;
				}
				break;
			default: {
				size_t got = ring_pop_all(r, out, count);
				assert_int_equal(got, MIN_OF(count, last - first));
				for (size_t i = 0; i < got; i++)
					assert_ptr_equal(out[i], &things[first + i]);
				first += got;
			}
			}
			assert_int_equal(ring_len(r), last - first);
		}
		void *out[20];
		assert_int_equal(ring_pop_all(r, out, 20), last - first);
		ring_free(r);
	}
}

/* Longest secret first at each place, by trying every one. */
static void mask_naively(const struct str *secrets, size_t count, struct str in, struct buf *out)
{
	for (size_t at = 0; at < in.len;) {
		size_t longest = 0;
		for (size_t i = 0; i < count; i++)
			if (secrets[i].len > longest && str_starts(str_slice(in, at, in.len), secrets[i]))
				longest = secrets[i].len;
		if (longest)
			buf_append_c(out, "[hidden]");
		else
			buf_append_char(out, in.data[at]);
		at += longest ? longest : 1;
	}
}

static void masking_hides_what_trying_every_secret_everywhere_hides(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(500); gen_next(&s, &rng);) {
		char memory[5][12];
		struct str secrets[5];
		size_t count = rng_below(&rng, 6);
		for (size_t i = 0; i < count; i++) { /* of few letters, so that they overlap; no form but their own */
			size_t len = SECRETS_BYTES_MIN + rng_below(&rng, 4);
			for (size_t k = 0; k < len; k++)
				memory[i][k] = (char)('a' + rng_below(&rng, 2));
			secrets[i] = str_make(memory[i], len);
			struct error error;
			assert_ok(secrets_add(secrets[i], &error), &error);
		}
		struct buf in, want, got;
		buf_init(&in, 4000);
		buf_init(&want, 8000);
		buf_init(&got, 8000);
		for (size_t len = rng_below(&rng, 200); len > 0; len--)
			buf_append_char(&in, (char)('a' + rng_below(&rng, 2) + (gen_chance(&rng, 3) ? 5 : 0)));
		mask_naively(secrets, count, buf_str(&in), &want);
		assert_true(secrets_mask(buf_str(&in), &got));
		assert_str_equal(buf_str(&got), buf_str(&want));
		assert_int_equal(secrets_present(buf_str(&in)), !str_eq(buf_str(&in), buf_str(&want)));
		buf_done(&in);
		buf_done(&want);
		buf_done(&got);
		secrets_clear();
	}
}

static void every_time_reads_back_from_its_text_and_in_its_order(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &rng);) {
		int64_t span = 253402300799999 + 62167219200000, ms[2], back;
		char text[2][CLOCK_TEXT_BYTES];
		for (int i = 0; i < 2; i++) {
			ms[i] = (int64_t)rng_below(&rng, (uint64_t)span) - 62167219200000;
			clock_text(ms[i], text[i]);
			assert_true(clock_from_text(str_from(text[i]), &back));
			assert_true(back == ms[i]);
		}
		assert_int_equal(ms[0] < ms[1], strcmp(text[0], text[1]) < 0);
		char shifted[40];
		int hours = (int)rng_below(&rng, 24), minutes = (int)rng_below(&rng, 60);
		bool west = gen_chance(&rng, 50);
		snprintf(shifted, sizeof(shifted), "%.23s%c%02d:%02d", text[0], west ? '-' : '+', hours, minutes);
		assert_true(clock_from_text(str_from(shifted), &back));
		assert_true(back - ms[0] == (west ? 1 : -1) * (hours * 60 + minutes) * 60000LL);
	}
}

static void a_duration_or_size_means_the_sum_of_its_parts(void **state)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &rng);) {
		char text[200] = "";
		int64_t want = 0, got;
		size_t len = 0;
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			if (gen_chance(&rng, 40))
				continue;
			int64_t n = (int64_t)rng_below(&rng, 100000);
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%lld%s", (long long)n, units[i].name);
			want += n * units[i].ms;
		}
		assert_int_equal(config_read_ms(str_from(text), &got), len > 0);
		if (len > 0)
			assert_true(got == want);
	}
}

/* Whatever order flags and operands come in, the line means the same. */
static void the_order_of_flags_changes_nothing(void **state)
{
	static const struct config_flag global[] = { { .name = "json", .kind = CONFIG_BOOL, .help = "J" },
		                                     { .name = "server", .kind = CONFIG_TEXT, .help = "S" } };
	static const struct config_flag own[] = { { .name = "epochs", .letter = 'e', .kind = CONFIG_I64, .help = "E" },
		                                  { .name = "model", .kind = CONFIG_TEXT, .help = "M" } };
	static const struct config_command commands[] = {
		{ .words = "run",
		  .operands = "SUITE",
		  .operand_min = 1,
		  .operand_max = 1,
		  .flags = own,
		  .flag_count = 2 },
		{ .words = "runs list", .summary = "L" },
	};
	static const struct config_program program = {
		.name = "p", .flags = global, .flag_count = 2, .commands = commands, .command_count = 2
	};
	static const char *const nothing[] = { NULL };
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(1000); gen_next(&s, &rng);) {
		/* Pieces that stay whole; the first two may stand before the command. */
		static const char *const forms[][2][2] = { { { "--json", NULL }, { "--json=yes", NULL } },
			                                   { { "--server", "run" }, { "--server=run", NULL } },
			                                   { { "--epochs", "4" }, { "-e", "4" } },
			                                   { { "--model", "-m" }, { "--model=-m", NULL } },
			                                   { { "suite", NULL }, { "suite", NULL } } };
		const char *args[16];
		size_t count = 0;
		bool used[ARRAY_LEN(forms)] = { false };
		size_t before = rng_below(&rng, 3);
		for (size_t i = 0; i < before; i++) {
			const char *const *form = forms[i][rng_below(&rng, 2)];
			used[i] = true;
			for (size_t k = 0; k < 2 && form[k]; k++)
				args[count++] = form[k];
		}
		args[count++] = "run";
		for (size_t left = ARRAY_LEN(forms) - before; left > 0;) {
			size_t i = rng_below(&rng, ARRAY_LEN(forms));
			if (used[i])
				continue;
			used[i] = true;
			left--;
			const char *const *form = forms[i][rng_below(&rng, 2)];
			for (size_t k = 0; k < 2 && form[k]; k++)
				args[count++] = form[k];
		}
		struct config *c;
		struct error error;
		assert_ok(config_parse(&program, count, args, nothing, &c, &error), &error);
		assert_ptr_equal(config_command(c), &commands[0]);
		assert_true(config_bool(c, "json"));
		assert_str_equal_c(config_text(c, "server"), "run");
		assert_int_equal(config_i64(c, "epochs"), 4);
		assert_str_equal_c(config_text(c, "model"), "-m");
		assert_str_equal_c(config_operand(c, 0), "suite");
		config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(a_ring_does_what_a_list_with_a_limit_does),
		gen_property(masking_hides_what_trying_every_secret_everywhere_hides),
		gen_property(every_time_reads_back_from_its_text_and_in_its_order),
		gen_property(a_duration_or_size_means_the_sum_of_its_parts),
		gen_property(the_order_of_flags_changes_nothing),
	};
	return cmocka_run_group_tests_name("io properties", tests, NULL, NULL);
}
