/* Samples of models that this worker serves itself: they wait until the server is up. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "worker/net/net_state.h"
#include <string.h>

enum { READY_S = 120, READY_S_MAX = 3600, HOST_SLOTS = 4, SLOTS_MAX = 1024 };

static struct str copy(struct str s)
{
	char *bytes = mem_new(s.len + 1, 1);
	if (s.len > 0)
		memcpy(bytes, s.data, s.len);
	return str_make(bytes, s.len);
}

static void replace(struct str *at, struct str with)
{
	struct str old = *at;
	*at = copy(with);
	mem_free((void *)(uintptr_t)old.data); /* ours, from copy() */
}

struct net_host *net_host_of(struct net *n, struct str command)
{
	bool is_new = false;
	struct net_host **h = map_put(&n->hosts, command, &is_new);
	if (is_new) {
		*h = mem_new(1, sizeof(**h));
		(*h)->command = copy(command);
		(*h)->base_url = copy(STR(""));
		(*h)->identity = copy(STR(""));
	}
	return *h;
}

void net_hosts_free(struct net *n)
{
	struct net_host **h;
	for (size_t at = 0; (h = map_next(&n->hosts, &at, NULL)) != NULL;) {
		mem_free((void *)(uintptr_t)(*h)->command.data); /* ours, from copy(); the same below */
		mem_free((void *)(uintptr_t)(*h)->base_url.data);
		mem_free((void *)(uintptr_t)(*h)->identity.data);
		mem_free(*h);
	}
	map_done(&n->hosts);
}

static void feed_slot(struct net *n, struct net_sample *s, struct str base_url)
{
	struct exec_event ev = { .kind = EXEC_EV_SLOT };
	ev.slot.base_url = base_url;
	net_feed(n, s, &ev);
}

/* Uses the sample's slot up for an ask that is not made. */
static void fail_slot(struct net *n, struct net_sample *s, enum error_class class, struct str text)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	struct exec_event slot = { .kind = EXEC_EV_SLOT, .now_ms = n->now_ms, .wall_ms = n->wall_ms };
	slot.slot.base_url = STR("http://127.0.0.1:1");
	size_t count = exec_step(s->exec, &slot, out);
	check(count > 0);
	if (out[0].kind == EXEC_DO_ASK) {
		struct exec_event ev = { .kind = EXEC_EV_DENIED };
		ev.denied.class = class;
		ev.denied.text = text;
		net_feed(n, s, &ev);
		return;
	}
	net_do(n, s, out, count); /* it had a reason of its own not to be asked */
}

static void want(struct net *n, struct net_host *h, const struct exec_run *run)
{
	const struct json *host = json_get(json_get(json_root(run->doc), "model"), "host");
	int64_t ready_s = json_i64_or(json_get(host, "ready_s"), READY_S);
	int64_t slots = json_i64_or(json_get(host, "slots"), HOST_SLOTS);
	if (h->wanted)
		return;
	h->wanted = true;
	struct mail *m = mail_new_texts(MAIL_HOST_WANTED, h->command,
	                                json_str_or(json_get(host, "health"), STR("/health")), STR(""));
	m->net = n->options.index;
	m->host.ready_ms = (uint32_t)MAX_OF(MIN_OF(ready_s, (int64_t)READY_S_MAX), 1) * 1000;
	m->host.slots = (uint32_t)MAX_OF(MIN_OF(slots, (int64_t)SLOTS_MAX), 1);
	outgoing_push(&n->host, m);
}

void net_slot(struct net *n, struct net_sample *s)
{
	const struct exec_run *run = exec_run_of(s->exec);
	s->elapsed_ms = 0;
	if (run->broken.code || run->model.host_command.len == 0) {
		feed_slot(n, s, STR(""));
		return;
	}
	const struct rules_command *command;
	struct error error;
	if (rules_command(n->options.rules, run->model.host_command, &command, &error)) {
		fail_slot(n, s, CLASS_NOT_ALLOWED, str_from(error.text));
		return;
	}
	struct net_host *h = net_host_of(n, run->model.host_command);
	if (h->base_url.len > 0) {
		feed_slot(n, s, h->base_url);
		return;
	}
	s->parked = true;
	n->parked_count++;
	want(n, h, run);
}

void net_unpark(struct net *n, struct net_sample *s)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	struct exec_event slot = { .kind = EXEC_EV_SLOT, .now_ms = n->now_ms, .wall_ms = n->wall_ms };
	slot.slot.base_url = STR("http://127.0.0.1:1");
	s->parked = false;
	n->parked_count--;
	size_t count = exec_step(s->exec, &slot, out);
	if (out[0].kind != EXEC_DO_ASK) {
		net_do(n, s, out, count); /* it had a reason of its own not to be asked */
		return;
	}
	struct exec_event cancel = { .kind = EXEC_EV_CANCEL };
	net_feed(n, s, &cancel);
}

static bool waits_for(const struct net_sample *s, const struct net_host *h)
{
	return s->parked && str_eq(exec_run_of(s->exec)->model.host_command, h->command);
}

/* Ids first: feeding a sample may remove it. */
static uint64_t *list_parked(struct net *n, const struct net_host *h, size_t *ret_count)
{
	uint64_t *ids = mem_new(n->parked_count + 1, sizeof(*ids));
	size_t count = 0;
	struct net_sample **s;
	for (size_t at = 0; (s = map_next_u64(&n->samples, &at, NULL)) != NULL;)
		if (waits_for(*s, h))
			ids[count++] = (*s)->id;
	*ret_count = count;
	return ids;
}

void net_on_host(struct net *n, const struct mail *m)
{
	struct net_host *h = net_host_of(n, m->text);
	replace(&h->base_url, m->text2);
	if (m->text2.len > 0)
		replace(&h->identity, m->text3);
	h->wanted = m->text2.len > 0;
	if (m->text2.len == 0 && !m->host.failed)
		return;
	size_t count;
	uint64_t *ids = list_parked(n, h, &count);
	for (size_t i = 0; i < count; i++) {
		struct net_sample *s = *(struct net_sample **)map_get_u64(&n->samples, ids[i]);
		s->parked = false;
		n->parked_count--;
		if (h->base_url.len > 0)
			feed_slot(n, s, h->base_url);
		else
			fail_slot(n, s, CLASS_HOST_FAILED, m->text3);
	}
	mem_free(ids);
}
