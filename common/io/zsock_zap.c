/* The ZAP 1.0 handler (rfc.zeromq.org/spec/27) of zsock.h: who may shake hands. */
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/io/ring.h"
#include "common/io/thread.h"
#include "common/io/zsock_private.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct allow_list {
	struct map name_by_key; /* 32 bytes -> struct name */
};

struct name {
	size_t len;
	char text[ZSOCK_USER_ID_BYTES_MAX];
};

/* The thread owns its list. A new one arrives through `mailbox`, which either side empties by exchange: no reader can
 * hold a list that a writer frees, and a handshake that starts after zsock_zap_allow() returned sees the new list. */
struct zsock_zap {
	struct zsock_context *context;
	struct zsock *reply;
	struct thread *thread;
	int stop_fd;
	_Atomic(struct allow_list *) mailbox;
	struct allow_list *current; /* the thread's */
	struct map told;            /* the thread's: refused keys that were told already */
	struct ring *refusals;      /* of struct zsock_zap_refusal, on the heap */
	atomic_uint_least64_t accepted_count, refused_count;
};

enum { REFUSALS_MAX = 256, TOLD_MAX = 4096 };

static void list_free(struct allow_list *l)
{
	if (!l)
		return;
	map_done(&l->name_by_key);
	mem_free(l);
}

enum { PART_VERSION, PART_REQUEST, PART_DOMAIN, PART_ADDRESS, PART_IDENTITY, PART_MECHANISM, PART_CREDENTIALS, PARTS };

static struct str part(const struct zsock_parts *p, size_t at)
{
	return str_make(p->data[at], MIN_OF(p->len[at], (size_t)ZSOCK_PART_BYTES_MAX));
}

static void tell_refusal(struct zsock_zap *z, const struct zsock_parts *p)
{
	bool is_new;
	if (z->told.len >= TOLD_MAX)
		map_clear(&z->told);                                 /* rather told twice than without end */
	(void)map_put(&z->told, part(p, PART_CREDENTIALS), &is_new); /* a set: no value */
	if (!is_new)
		return;
	struct zsock_zap_refusal *r = mem_new(1, sizeof(*r));
	keys_text((const uint8_t *)p->data[PART_CREDENTIALS], r->key);
	(void)snprintf(r->address, sizeof(r->address), "%.*s", STR_ARG(part(p, PART_ADDRESS))); /* an IP address */
	if (!ring_try_push(z->refusals, r))
		mem_free(r); /* nobody asks; the count still tells */
}

static void answer(struct zsock_zap *z, const struct zsock_parts *p)
{
	struct allow_list *fresh = atomic_exchange(&z->mailbox, NULL);
	if (fresh) {
		list_free(z->current);
		z->current = fresh;
	}
	bool readable = p->count == PARTS && str_eq_c(part(p, PART_VERSION), "1.0") &&
	                p->len[PART_REQUEST] <= ZSOCK_PART_BYTES_MAX && str_eq_c(part(p, PART_MECHANISM), "CURVE") &&
	                p->len[PART_CREDENTIALS] == KEYS_BYTES;
	const struct name *name =
		readable && z->current ? map_get(&z->current->name_by_key, part(p, PART_CREDENTIALS)) : NULL;
	atomic_fetch_add(name ? &z->accepted_count : &z->refused_count, 1);
	if (readable && !name)
		tell_refusal(z, p);
	const struct str reply[] = { STR("1.0"),
		                     p->count > PART_REQUEST ? part(p, PART_REQUEST) : STR(""),
		                     name ? STR("200") : STR("400"),
		                     name ? STR("OK") : STR("unknown key"),
		                     name ? str_make(name->text, name->len) : STR(""),
		                     STR("") };
	enum err_code err = zsock_send_parts(z->reply, reply, ARRAY_LEN(reply), NULL);
	(void)err; /* who asked is gone: no handshake waits */
}

static void serve(void *arg)
{
	struct zsock_zap *z = arg;
	for (;;) {
		struct zsock_poll_item items[] = { { .sock = z->reply }, { .fd = z->stop_fd } };
		size_t ready;
		struct error error;
		enum err_code err = zsock_poll(items, ARRAY_LEN(items), -1, &ready, &error);
		check_msg(err == ERR_OK, "%s", error.text); /* two descriptors of our own */
		if (items[1].readable)
			return;
		struct zsock_parts parts;
		while (items[0].readable && zsock_recv_parts(z->reply, &parts, NULL) == ERR_OK)
			answer(z, &parts);
	}
}

enum err_code zsock_zap_start(struct zsock_context *c, struct zsock_zap **ret_zap, struct error *reterr)
{
	struct zsock_zap *z = mem_new(1, sizeof(*z));
	z->context = c;
	map_init(&z->told, 1);
	z->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	enum err_code err = z->stop_fd >= 0 ? ERR_OK : error_set(reterr, ERR_IO, "eventfd: %s", strerror(errno));
	if (err == ERR_OK)
		err = ring_new(REFUSALS_MAX, &z->refusals, reterr);
	if (err == ERR_OK)
		err = zsock_reply_new(c, "inproc://zeromq.zap.01", &z->reply, reterr);
	if (err == ERR_OK)
		err = thread_start(&z->thread, "zap", serve, z, reterr);
	if (err != ERR_OK) {
		zsock_zap_stop(z);
		return err;
	}
	zsock_context_guard(c, true);
	*ret_zap = z;
	return ERR_OK;
}

void zsock_zap_stop(struct zsock_zap *z)
{
	if (!z)
		return;
	if (z->thread) {
		uint64_t one = 1;
		check(write(z->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
		thread_join(z->thread);
		zsock_context_guard(z->context, false);
	}
	zsock_close(z->reply);
	void *refusal;
	while (z->refusals && ring_pop_all(z->refusals, &refusal, 1))
		mem_free(refusal);
	ring_free(z->refusals);
	if (z->stop_fd >= 0)
		(void)close(z->stop_fd); /* no data in it */
	list_free(z->current);
	list_free(atomic_exchange(&z->mailbox, NULL));
	map_done(&z->told);
	mem_free(z);
}

enum err_code zsock_zap_allow(struct zsock_zap *z, const struct zsock_zap_key *keys, size_t count, struct error *reterr)
{
	struct allow_list *l = mem_new(1, sizeof(*l));
	map_init(&l->name_by_key, sizeof(struct name));
	for (size_t i = 0; i < count; i++) {
		struct str name = keys[i].name;
		if (name.len == 0 || name.len > ZSOCK_USER_ID_BYTES_MAX || memchr(name.data, '\0', name.len)) {
			list_free(l);
			return error_set(reterr, ERR_INVALID, "key %zu: a name has 1 to %d bytes and no NUL", i,
			                 ZSOCK_USER_ID_BYTES_MAX);
		}
		struct name *n = map_put(&l->name_by_key, str_make(keys[i].key.bytes, KEYS_BYTES), NULL);
		n->len = name.len;
		memcpy(n->text, name.data, name.len);
	}
	list_free(atomic_exchange(&z->mailbox, l)); /* one that the thread never took */
	return ERR_OK;
}

uint64_t zsock_zap_accepted_count(const struct zsock_zap *z)
{
	return atomic_load(&z->accepted_count);
}

uint64_t zsock_zap_refused_count(const struct zsock_zap *z)
{
	return atomic_load(&z->refused_count);
}

size_t zsock_zap_refusals(struct zsock_zap *z, struct zsock_zap_refusal *out, size_t cap)
{
	size_t count = 0;
	void *refusal;
	while (count < cap && ring_pop_all(z->refusals, &refusal, 1)) {
		out[count++] = *(struct zsock_zap_refusal *)refusal;
		mem_free(refusal);
	}
	return count;
}
