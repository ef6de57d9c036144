#include "common/wire/decode.h"
#include "common/wire/frame.h"
#include "common/wire/prescan.h"
#include "common/wire/shape.h"
#include <string.h>

enum { BODY_FIELD_FIRST = 10 }; /* of Frame: the kinds of frames begin here */

/* ---- the arena as protobuf-c's allocator ---- */

struct allocator {
	ProtobufCAllocator base;
	struct arena *arena;
	bool spent;
};

static void *allocate(void *data, size_t size)
{
	struct allocator *a = data;
	void *p = arena_try_alloc(a->arena, 1, size);
	a->spent |= p == NULL;
	return p;
}

static void release(void *data, void *p)
{
	(void)data; /* the arena frees all at once */
	(void)p;
}

static enum err_code unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, struct str bytes,
                            ProtobufCMessage **ret_message, struct error *reterr)
{
	struct allocator a = { { allocate, release, &a }, arena, false };
	ProtobufCMessage *message =
		protobuf_c_message_unpack(descriptor, &a.base, bytes.len, (const uint8_t *)bytes.data);
	if (!message && a.spent) {
		(void)error_set(reterr, ERR_LIMIT, "more than %zu bytes of memory to hold %zu bytes",
		                arena->budget_bytes, bytes.len); /* the code stands below: analysers see it there */
		return ERR_LIMIT;
	}
	if (!message) {
		(void)error_set(reterr, ERR_CORRUPT, "%zu bytes that protobuf-c refuses", bytes.len); /* as above */
		return ERR_CORRUPT;
	}
	*ret_message = message;
	return ERR_OK;
}

/* ---- what every message needs ---- */

bool decode_fail(struct decode *d, enum err_code code, const char *what)
{
	(void)error_set(d->reterr, code, "%s", what); /* the code comes back from there */
	return false;
}

bool decode_list(struct decode *d, size_t count, size_t size, void *ret_list)
{
	void *list = count ? arena_try_alloc(d->arena, count, size) : NULL;
	if (count && !list)
		return decode_fail(d, ERR_LIMIT, "more memory to hold a frame than its arena may give");
	memcpy(ret_list, &list, sizeof(list)); /* whatever kind of pointer the caller keeps */
	return true;
}

bool decode_hash(struct decode *d, ProtobufCBinaryData bytes, const char *what, struct hash *ret_hash)
{
	if (bytes.len != HASH_BYTES) {
		(void)error_set(d->reterr, ERR_CORRUPT, "%s: %zu bytes, not %d", what, bytes.len, HASH_BYTES);
		return false;
	}
	memcpy(ret_hash->bytes, bytes.data, HASH_BYTES);
	return true;
}

bool decode_outbox(struct decode *d, ProtobufCBinaryData bytes, struct outbox_id *ret_id)
{
	if (bytes.len != WIRE_OUTBOX_ID_BYTES)
		return decode_fail(d, ERR_CORRUPT, "outbox: not 16 bytes");
	memcpy(ret_id->bytes, bytes.data, WIRE_OUTBOX_ID_BYTES);
	return true;
}

/* ---- frames ---- */

static bool decode_blob_want(struct decode *d, const Assay__Wire__BlobWant *p, struct msg_blob_want *m)
{
	m->offset = p->offset;
	return decode_hash(d, p->hash, "BlobWant.hash", &m->hash);
}

static bool decode_blob(struct decode *d, const Assay__Wire__Blob *p, struct msg_blob *m)
{
	*m = (struct msg_blob){ .offset = p->offset, .bytes = decode_bytes(p->bytes), .last = p->last };
	return decode_hash(d, p->hash, "Blob.hash", &m->hash);
}

static void decode_release(const Assay__Wire__Release *p, struct msg_release *m)
{
	*m = (struct msg_release){ { p->term, p->n }, p->n_indexes ? p->indexes : NULL, p->n_indexes };
}

static bool decode_body(struct decode *d, const Assay__Wire__Frame *p, struct msg *m)
{
	switch (m->kind) {
	case MSG_HELLO:
		return decode_hello(d, p->hello, &m->hello);
	case MSG_RENEW:
		return decode_renew(d, p->renew, &m->renew);
	case MSG_RESULTS:
		return decode_results(d, p->results, &m->results);
	case MSG_RELEASED:
		return decode_released(d, p->released, &m->released);
	case MSG_WELCOME:
		return decode_welcome(d, p->welcome, &m->welcome);
	case MSG_REFUSED:
		m->refused = (struct msg_refused){ (enum refuse_cause)p->refused->cause, str_from(p->refused->text),
			                           str_from(p->refused->leader) };
		return true;
	case MSG_RENEWED:
		return decode_renewed(d, p->renewed, &m->renewed);
	case MSG_LEASE:
		return decode_lease(d, p->lease, &m->lease);
	case MSG_COMMIT:
		return decode_commit(d, p->commit, &m->commit);
	case MSG_RELEASE:
		decode_release(p->release, &m->release);
		return true;
	case MSG_REVOKE:
		m->revoke = (struct msg_revoke){ { p->revoke->term, p->revoke->n }, p->revoke->abandon };
		return true;
	case MSG_GRANT:
		m->grant = (struct msg_grant){ p->grant->route_id, p->grant->slots, p->grant->pause_ms };
		return true;
	case MSG_DRAIN:
		m->drain = (struct msg_drain){ str_from(p->drain->reason) };
		return true;
	case MSG_BLOB_WANT:
		return decode_blob_want(d, p->blob_want, &m->blob_want);
	case MSG_BLOB:
		return decode_blob(d, p->blob, &m->blob);
	case MSG_KIND_COUNT:
		break;
	}
	return decode_fail(d, ERR_CORRUPT, "no kind");
}

/* MSG_KIND_COUNT: none that this version knows. */
static enum msg_kind kind_of(const Assay__Wire__Frame *p)
{
	static const struct {
		Assay__Wire__Frame__BodyCase body;
		enum msg_kind kind;
	} kinds[] = {
		{ ASSAY__WIRE__FRAME__BODY_HELLO, MSG_HELLO },
		{ ASSAY__WIRE__FRAME__BODY_RENEW, MSG_RENEW },
		{ ASSAY__WIRE__FRAME__BODY_RESULTS, MSG_RESULTS },
		{ ASSAY__WIRE__FRAME__BODY_RELEASED, MSG_RELEASED },
		{ ASSAY__WIRE__FRAME__BODY_WELCOME, MSG_WELCOME },
		{ ASSAY__WIRE__FRAME__BODY_REFUSED, MSG_REFUSED },
		{ ASSAY__WIRE__FRAME__BODY_RENEWED, MSG_RENEWED },
		{ ASSAY__WIRE__FRAME__BODY_LEASE, MSG_LEASE },
		{ ASSAY__WIRE__FRAME__BODY_COMMIT, MSG_COMMIT },
		{ ASSAY__WIRE__FRAME__BODY_RELEASE, MSG_RELEASE },
		{ ASSAY__WIRE__FRAME__BODY_REVOKE, MSG_REVOKE },
		{ ASSAY__WIRE__FRAME__BODY_GRANT, MSG_GRANT },
		{ ASSAY__WIRE__FRAME__BODY_DRAIN, MSG_DRAIN },
		{ ASSAY__WIRE__FRAME__BODY_BLOB_WANT, MSG_BLOB_WANT },
		{ ASSAY__WIRE__FRAME__BODY_BLOB, MSG_BLOB },
	};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].body == p->body_case)
			return kinds[i].kind;
	return MSG_KIND_COUNT;
}

static enum err_code check_envelope(const Assay__Wire__Frame *p, enum msg_kind kind, struct error *reterr)
{
	bool any_version = kind == MSG_HELLO || kind == MSG_REFUSED;
	if (p->version == 0)
		return error_set(reterr, ERR_CORRUPT, "a frame without a version");
	if (!any_version && (p->version < WIRE_VERSION_MIN || p->version > WIRE_VERSION_MAX))
		return error_set(reterr, ERR_UNSUPPORTED, "a frame of version %u; this program speaks %d to %d",
		                 p->version, WIRE_VERSION_MIN, WIRE_VERSION_MAX);
	if (kind != MSG_KIND_COUNT)
		return ERR_OK;
	for (unsigned i = 0; i < p->base.n_unknown_fields; i++)
		if (p->base.unknown_fields[i].tag >= BODY_FIELD_FIRST)
			return error_set(reterr, ERR_UNSUPPORTED,
			                 "a frame of kind %u, which this version does not know",
			                 p->base.unknown_fields[i].tag);
	return error_set(reterr, ERR_CORRUPT, "a frame without a body");
}

static enum err_code decode(struct str bytes, struct arena *arena, struct msg *ret_msg, struct error *reterr)
{
	if (bytes.len > WIRE_FRAME_BYTES_MAX)
		return error_set(reterr, ERR_LIMIT, "%zu bytes, over %d", bytes.len, WIRE_FRAME_BYTES_MAX);
	enum err_code err = prescan_check(bytes, &schema_frame, reterr);
	if (err)
		return err;
	ProtobufCMessage *message;
	err = unpack(arena, &assay__wire__frame__descriptor, bytes, &message, reterr);
	if (err)
		return err;
	const Assay__Wire__Frame *frame = (const Assay__Wire__Frame *)message;
	struct msg m = { .kind = kind_of(frame), .number = frame->number, .session = frame->session };
	err = check_envelope(frame, m.kind, reterr);
	if (err)
		return err;
	struct error own;
	struct decode d = { arena, reterr ? reterr : &own };
	if (!decode_body(&d, frame, &m))
		return d.reterr->code;
	err = shape_check(&m, reterr);
	if (err == ERR_OK)
		*ret_msg = m;
	return err;
}

enum err_code frame_decode(struct str bytes, struct arena *arena, struct msg *ret_msg, struct error *reterr)
{
	enum err_code err = decode(bytes, arena, ret_msg, reterr);
	return err ? error_wrap(reterr, err, "frame") : ERR_OK;
}

enum err_code frame_record_decode(struct str bytes, struct arena *arena, struct msg_record *ret_record,
                                  struct error *reterr)
{
	if (bytes.len > WIRE_FRAME_BYTES_MAX)
		return error_set(reterr, ERR_LIMIT, "record: %zu bytes, over %d", bytes.len, WIRE_FRAME_BYTES_MAX);
	enum err_code err = prescan_check(bytes, &schema_record, reterr);
	ProtobufCMessage *message = NULL;
	if (!err)
		err = unpack(arena, &assay__wire__record__descriptor, bytes, &message, reterr);
	if (err)
		return error_wrap(reterr, err, "record");
	struct error own;
	struct decode d = { arena, reterr ? reterr : &own };
	struct msg_record record;
	if (!decode_record(&d, (const Assay__Wire__Record *)message, &record))
		return d.reterr->code;
	err = shape_check_record(&record, reterr);
	if (err)
		return error_wrap(reterr, err, "record");
	*ret_record = record;
	return ERR_OK;
}
