/* Goal: for a thread that may wait (the API's), every call of libpq and every allocation may fail once: it is told as
 * an error or mended by a second try, nothing hangs or leaks, and what is asked next is answered. */
#include "common/base/mem.h"
#include "coordinator/store/store.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/store/fake_pq.h"

static struct store *open_as(enum store_role role)
{
	static const struct store_settings settings = { .dsn = "", .reader_role = "assay_reader" };
	struct store *s;
	struct error e;
	assert_ok(store_open(&settings, role, role == STORE_WRITER ? 1 : 0, &s, &e), &e);
	return s;
}

static enum err_code ask(struct store *s, enum store_role role, struct error *e)
{
	return role == STORE_WRITER ? store_tidy(s, e) : store_ping(s, e);
}

/* Twice in one connection and once after another team was chosen: what is set up once and what is not. */
static enum err_code use(struct store *s, enum store_role role, struct error *e)
{
	enum err_code err = ask(s, role, e), second = ask(s, role, e);
	store_use_team(s, 2);
	enum err_code third = ask(s, role, e);
	return err ? err : second ? second : third;
}

static void must_work_again(struct store *s, enum store_role role, uint64_t n)
{
	struct error e = { .text = "" };
	if (ask(s, role, &e) != ERR_OK)
		fail_msg("after fault %llu: %s", (unsigned long long)n, e.text);
}

static void each_call_fails_once(enum store_role role)
{
	uint64_t n = 1, failed = 0;
	for (bool met = true; met; n++) {
		struct error e = { .text = "" };
		fake_begin();
		struct store *s = open_as(role);
		fake.fail_at = n;
		enum err_code err = use(s, role, &e);
		met = fake.calls >= n;
		failed += err != ERR_OK;
		assert_true(err == ERR_OK || e.text[0]);
		fake.fail_at = 0;
		must_work_again(s, role, n);
		store_close(s);
		fake_end();
	}
	assert_true(n > 20 && failed > 5);
}

static void each_allocation_fails_once(enum store_role role)
{
	uint64_t n = 1;
	for (bool met = true; met; n++) {
		struct error e = { .text = "" };
		uint64_t before = mem_refused_count();
		fake_begin();
		struct store *s = open_as(role);
		mem_fail_at(n);
		enum err_code err = use(s, role, &e);
		mem_fail_at(0);
		met = mem_refused_count() > before;
		assert_true(err == ERR_OK || e.text[0]);
		must_work_again(s, role, n);
		store_close(s);
		fake_end();
	}
	assert_true(n > 2);
}

static void a_reader_outlives_every_failing_call(void **state)
{
	(void)state;
	each_call_fails_once(STORE_READER);
}

static void a_writer_outlives_every_failing_call(void **state)
{
	(void)state;
	each_call_fails_once(STORE_WRITER);
}

static void both_outlive_every_refused_allocation(void **state)
{
	(void)state;
	each_allocation_fails_once(STORE_READER);
	each_allocation_fails_once(STORE_WRITER);
}

static void a_store_that_cannot_be_made_says_so(void **state)
{
	struct store_settings settings = { .dsn = "host=x dbname=y" };
	(void)state;
	fake_begin();
	enum err_code err = ERR_NOMEM;
	for (uint64_t n = 1; err != ERR_OK; n++) {
		struct store *s = NULL;
		struct error e;
		mem_fail_at(n);
		err = store_open(&settings, STORE_READER, 0, &s, &e);
		mem_fail_at(0);
		if (err == ERR_OK)
			store_close(s);
		else
			assert_int_equal(err, ERR_NOMEM);
	}
	fake_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_outlives_every_failing_call),
		cmocka_unit_test(a_writer_outlives_every_failing_call),
		cmocka_unit_test(both_outlive_every_refused_allocation),
		cmocka_unit_test(a_store_that_cannot_be_made_says_so),
	};
	return cmocka_run_group_tests_name("store calls", tests, NULL, NULL);
}
