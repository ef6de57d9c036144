/* Goal: over real sockets with CURVE a worker says Hello, takes leases, reports, trims; finds the leader; drains. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "tests/unit/link/played.h"
#include "worker/exec/mail.h"
#include "worker/link/link.h"

struct fixture {
	struct zsock_context *context;
	struct zsock_zap *zap;
	struct keys_pair server, worker, stranger;
	struct played peers[2];
	struct str endpoints[2];
	struct ring *inbox, *main, *outbox, *net;
	struct link_options options;
	struct link *link;
};

static struct mail *take(struct ring *r, enum mail_kind kind)
{
	void *mail;
	assert_int_equal(ring_pop_wait(r, &mail, 1, PLAYED_LIMIT_MS), 1);
	assert_int_equal(((struct mail *)mail)->kind, kind);
	return mail;
}

static void give(struct fixture *f, struct mail *m)
{
	assert_true(ring_try_push(f->inbox, m));
}

static void start_link(struct fixture *f, uint32_t endpoint_count)
{
	struct error error;
	f->options = (struct link_options){
		.agent = { .outbox = { { 7 } },
		           .name = STR("w"),
		           .build = STR("test"),
		           .slots = 4,
		           .net_count = 1,
		           .endpoint_count = endpoint_count,
		           .endpoints = f->endpoints,
		           .seed = 3 },
		.context = f->context,
		.pair = &f->worker,
		.server_key = f->server.public_key,
		.inbox = f->inbox,
		.main = f->main,
		.outbox = f->outbox,
		.nets = &f->net,
	};
	assert_ok(link_start(&f->options, &f->link, &error), &error);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error error;
	assert_ok(keys_init(&error), &error);
	keys_pair_new(&f->server);
	keys_pair_new(&f->worker);
	keys_pair_new(&f->stranger);
	assert_ok(zsock_context_new(0, 0, &f->context, &error), &error);
	assert_ok(zsock_zap_start(f->context, &f->zap, &error), &error);
	struct zsock_zap_key key = { f->worker.public_key, STR("worker") };
	assert_ok(zsock_zap_allow(f->zap, &key, 1, &error), &error);
	for (size_t i = 0; i < 2; i++) {
		played_open(&f->peers[i], f->context, &f->server);
		f->endpoints[i] = buf_str(&f->peers[i].endpoint);
	}
	struct ring **rings[] = { &f->inbox, &f->main, &f->outbox, &f->net };
	for (size_t i = 0; i < ARRAY_LEN(rings); i++)
		assert_ok(ring_new(1000, rings[i], &error), &error);
	*state = f;
	return 0;
}

static void free_ring(struct ring *r)
{
	void *mail;
	while (ring_pop_all(r, &mail, 1) == 1)
		mail_free(mail);
	ring_free(r);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	ring_close(f->inbox);
	link_join(f->link);
	for (size_t i = 0; i < 2; i++)
		played_close(&f->peers[i]);
	zsock_zap_stop(f->zap);
	zsock_context_free(f->context);
	free_ring(f->inbox);
	free_ring(f->main);
	free_ring(f->outbox);
	free_ring(f->net);
	mem_free(f);
	return 0;
}

static void a_sample_goes_from_lease_to_commit(void **state)
{
	struct fixture *f = *state;
	struct played *p = &f->peers[0];
	start_link(f, 1);
	const struct msg *m = played_expect(p, MSG_HELLO);
	assert_true(outbox_id_eq(m->hello.outbox, (struct outbox_id){ { 7 } }));
	assert_str_equal_c(m->hello.name, "w");
	played_welcome(p, 1, NULL, 0);
	m = played_expect(p, MSG_RENEW);
	assert_int_equal(m->renew.renew_no, 1);
	assert_int_equal(m->renew.wanted, 4);
	played_lease(p, 1, 5, 2, STR("{\"x\":1}"), STR("{}"));

	struct mail *first = take(f->net, MAIL_START), *second = take(f->net, MAIL_START);
	assert_str_equal_c(first->text, "{}");
	assert_str_equal_c(first->context->json, "{\"x\":1}");
	assert_ptr_equal(first->context, second->context);
	assert_int_equal(first->start.key.sample_no, 5);
	assert_int_equal(second->start.key.sample_no, 6);
	assert_int_equal(first->start.attempts_left, 3);
	struct mail *ended = mail_new(MAIL_ASK_ENDED);
	ended->sample_id = first->sample_id;
	ended->ended.ask_id = 11;
	ended->ended.retry_after_ms = -1;
	give(f, ended);
	struct mail *kept = mail_new(MAIL_RECORD);
	struct msg_record record = { .kind = RECORD_RESULT,
		                     .record_no = 21,
		                     .outcome = OUTCOME_SCORED,
		                     .ask_id = 11,
		                     .retry_after_ms = -1,
		                     .cost_nanousd = -1 };
	kept->sample_id = first->sample_id;
	kept->record = record_new(&record, NULL, STR(""));
	give(f, kept);
	mail_free(first);
	mail_free(second);

	m = played_expect(p, MSG_RESULTS);
	assert_int_equal(m->results.record_count, 1);
	assert_int_equal(m->results.records[0].record_no, 21);
	played_commit(p, (struct outbox_id){ { 7 } }, 21);
	struct mail *trim = take(f->outbox, MAIL_TRIM);
	assert_int_equal(trim->trim.count, 1);
	assert_int_equal(trim->trim.ranges[0].first, 21);
	mail_free(trim);
	do
		m = played_expect(p, MSG_RENEW);
	while (m->renew.lease_count == 0 || m->renew.leases[0].held.data[0] != 2);
}

static void a_standby_is_passed_over_for_the_leader(void **state)
{
	struct fixture *f = *state;
	start_link(f, 2);
	(void)played_expect(&f->peers[0], MSG_HELLO); /* its content is the other test's; the same below */
	played_say(&f->peers[0],
	           (struct msg){ .kind = MSG_REFUSED, .refused = { REFUSE_STANDBY, STR("standby"), STR("") } });
	const struct msg *m = played_expect(&f->peers[1], MSG_HELLO);
	assert_int_equal(m->kind, MSG_HELLO);
}

static void a_leader_that_dies_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	start_link(f, 2);
	(void)played_expect(&f->peers[0], MSG_HELLO);
	played_welcome(&f->peers[0], 1, NULL, 0);
	(void)played_expect(&f->peers[0], MSG_RENEW);
	uint64_t died_ms = clock_now_ms();
	zsock_close(f->peers[0].router);
	f->peers[0].router = NULL;
	const struct msg *m = played_expect(&f->peers[1], MSG_HELLO);
	assert_int_equal(m->hello.term_seen, 1);
	assert_in_range(clock_now_ms() - died_ms, 0, 2500); /* not only after 3 s of silence */
}

static void a_drain_without_samples_ends_at_once(void **state)
{
	struct fixture *f = *state;
	start_link(f, 1);
	(void)played_expect(&f->peers[0], MSG_HELLO);
	played_welcome(&f->peers[0], 1, NULL, 0);
	struct mail *drain = mail_new(MAIL_DRAIN);
	drain->drain_ms = 1000;
	give(f, drain);
	mail_free(take(f->main, MAIL_DRAINED));
}

static void a_coordinator_with_another_key_gets_nothing(void **state)
{
	struct fixture *f = *state;
	f->server = f->stranger; /* the worker expects this one; the routers have the other */
	start_link(f, 1);
	assert_false(played_receive(&f->peers[0], 1500));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_sample_goes_from_lease_to_commit),          TEST(a_standby_is_passed_over_for_the_leader),
		TEST(a_leader_that_dies_is_noticed_at_once),       TEST(a_drain_without_samples_ends_at_once),
		TEST(a_coordinator_with_another_key_gets_nothing),
	};
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
