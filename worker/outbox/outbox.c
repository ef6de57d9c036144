#include "worker/outbox/outbox.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/wire/frame.h"
#include <string.h>

enum { ID_FILE_BYTES = WIRE_OUTBOX_ID_BYTES + 4, SCRATCH_BYTES = 32 << 20, FILE_MODE = 0600, DIR_MODE = 0700 };

struct unsynced {              /* an answer that is written and not yet durable */
	struct record *record; /* the caller's, valid until the sync */
};

struct outbox {
	struct fs_path dir;
	struct fs_lock *lock;
	struct outbox_id id;
	struct outbox_index index;
	struct fs_file *file; /* the last segment; NULL: the next append begins one */
	uint64_t segment_no;
	uint32_t salt;
	struct map contexts; /* hashes of those that the segment holds */
	struct unsynced *unsynced;
	size_t unsynced_count, unsynced_cap;
	struct buf group, read;
	struct arena scratch;
	struct map loaded_contexts; /* hash -> struct exec_context *, of answers that were read back */
};

static struct fs_path segment_path(const struct outbox *o, uint64_t segment_no)
{
	return fs_path("%s/%08llu.seg", o->dir.text, (unsigned long long)segment_no);
}

/* ---- opening ---- */

static enum err_code read_id(const char *path, struct outbox_id *ret_id, struct error *reterr)
{
	struct buf bytes;
	buf_init(&bytes, 4096);
	enum err_code err = fs_read(path, &bytes, reterr);
	if (!err) {
		struct str id = str_slice(buf_str(&bytes), 0, WIRE_OUTBOX_ID_BYTES);
		uint32_t crc = hash_crc32c(id);
		if (bytes.len != ID_FILE_BYTES || memcmp(bytes.data + WIRE_OUTBOX_ID_BYTES, &crc, sizeof(crc)) != 0)
			err = error_set(reterr, ERR_CORRUPT, "%s: not the id of an outbox", path);
		else
			memcpy(ret_id->bytes, id.data, id.len);
	}
	buf_done(&bytes);
	return err;
}

static bool segment_no_of(struct str name, uint64_t *ret_segment_no)
{
	return str_ends(name, STR(".seg")) && str_to_u64(str_slice(name, 0, name.len - 4), ret_segment_no);
}

/* What is behind the last whole entry is of no use; left there it would be found and said at every start. */
static void cut_off(const char *path, size_t end)
{
	struct fs_file *file;
	struct error ignored; /* then it is found and said once more */
	if (fs_file_open(path, FILE_MODE, &file, &ignored))
		return;
	if (fs_file_truncate(file, end, &ignored) == ERR_OK)
		IGNORE(fs_file_sync(file, &ignored)); /* as above */
	fs_file_close(file);
}

static enum err_code replay_one(struct outbox *o, uint64_t segment_no, uint64_t now_ms, struct error *reterr)
{
	struct fs_path path = segment_path(o, segment_no);
	struct buf bytes;
	buf_init(&bytes, (size_t)1 << 30);
	enum err_code err = fs_read(path.text, &bytes, reterr);
	size_t end;
	if (!err) {
		err = outbox_index_replay(&o->index, &o->id, segment_no, buf_str(&bytes), now_ms, &o->scratch, &end,
		                          reterr);
		if (err)
			err = error_wrap(reterr, err, "%s", path.text);
		else if (end < bytes.len && end >= OUTBOX_SEGMENT_HEADER_BYTES)
			cut_off(path.text, end);
	}
	buf_done(&bytes);
	return err;
}

struct segment_list {
	uint64_t *numbers;
	size_t count;
};

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static enum err_code list_segments(struct outbox *o, struct arena *a, struct segment_list *ret_list,
                                   struct error *reterr)
{
	struct str *names;
	size_t count;
	enum err_code err = fs_list(o->dir.text, a, &names, &count, reterr);
	if (err)
		return err;
	struct segment_list list = { arena_new(a, MAX_OF(count, (size_t)1), sizeof(uint64_t)), 0 };
	for (size_t i = 0; i < count; i++)
		if (segment_no_of(names[i], &list.numbers[list.count]))
			list.count++;
	qsort(list.numbers, list.count, sizeof(*list.numbers), compare_numbers);
	*ret_list = list;
	return ERR_OK;
}

/* Rot in sixteen bytes must not cost all that was paid for: each segment names its outbox too. */
static bool id_from_segments(struct outbox *o, const struct segment_list *list)
{
	bool found = false;
	for (size_t i = 0; i < list->count && !found; i++) {
		struct buf bytes;
		struct outbox_segment header;
		struct error ignored; /* then the next may say it */
		buf_init(&bytes, (size_t)1 << 30);
		found = fs_read(segment_path(o, list->numbers[i]).text, &bytes, &ignored) == ERR_OK &&
		        outbox_segment_read(buf_str(&bytes), &header, &ignored) == ERR_OK &&
		        header.segment_no == list->numbers[i];
		if (found)
			o->id = header.id;
		buf_done(&bytes);
	}
	return found;
}

static enum err_code read_or_make_id(struct outbox *o, const struct segment_list *list, struct error *reterr)
{
	struct fs_path path = fs_path("%s/id", o->dir.text);
	enum err_code err = read_id(path.text, &o->id, reterr);
	if (err != ERR_NOT_FOUND && err != ERR_CORRUPT)
		return err;
	if (list->count == 0)
		keys_random(o->id.bytes, sizeof(o->id.bytes));
	else if (!id_from_segments(o, list))
		return error_set(reterr, ERR_CORRUPT, "%s is missing or damaged, and no segment beside it names it",
		                 path.text);
	uint8_t bytes[ID_FILE_BYTES];
	uint32_t crc = hash_crc32c(str_make(o->id.bytes, sizeof(o->id.bytes)));
	memcpy(bytes, o->id.bytes, WIRE_OUTBOX_ID_BYTES);
	memcpy(bytes + WIRE_OUTBOX_ID_BYTES, &crc, sizeof(crc));
	return fs_write_atomic(path.text, str_make(bytes, sizeof(bytes)), FILE_MODE, reterr);
}

static enum err_code replay_all(struct outbox *o, uint64_t now_ms, struct error *reterr)
{
	struct arena names;
	arena_init(&names, 64 << 20);
	struct segment_list list;
	enum err_code err = list_segments(o, &names, &list, reterr);
	if (!err)
		err = read_or_make_id(o, &list, reterr);
	for (size_t i = 0; !err && i < list.count; i++) {
		err = replay_one(o, list.numbers[i], now_ms, reterr);
		o->segment_no = list.numbers[i];
	}
	arena_done(&names);
	if (!err)
		outbox_index_replayed(&o->index);
	return err;
}

enum err_code outbox_open(const char *dir, uint64_t now_ms, struct outbox **ret_outbox, struct error *reterr)
{
	struct outbox *o = mem_new(1, sizeof(*o));
	o->dir = fs_path("%s", dir);
	outbox_index_init(&o->index);
	map_init(&o->contexts, sizeof(bool));
	map_init(&o->loaded_contexts, sizeof(struct exec_context *));
	buf_init(&o->group, OUTBOX_GROUP_BYTES_MAX);
	buf_init(&o->read, OUTBOX_PAYLOAD_BYTES_MAX + OUTBOX_ENTRY_HEADER_BYTES);
	arena_init(&o->scratch, SCRATCH_BYTES);
	enum err_code err = fs_make_dirs(dir, DIR_MODE, reterr);
	if (!err)
		err = fs_lock_take(fs_path("%s/lock", dir).text, &o->lock, reterr);
	if (!err)
		err = replay_all(o, now_ms, reterr);
	if (err) {
		outbox_close(o);
		return error_wrap(reterr, err, "outbox %s", dir);
	}
	*ret_outbox = o;
	return ERR_OK;
}

void outbox_close(struct outbox *o)
{
	if (!o)
		return;
	fs_file_close(o->file);
	fs_lock_release(o->lock);
	outbox_index_done(&o->index);
	map_done(&o->contexts);
	struct exec_context **c;
	for (size_t at = 0; (c = map_next(&o->loaded_contexts, &at, NULL)) != NULL;)
		exec_context_unref(*c);
	map_done(&o->loaded_contexts);
	buf_done(&o->group);
	buf_done(&o->read);
	arena_done(&o->scratch);
	mem_free(o->unsynced);
	mem_free(o);
}

struct outbox_id outbox_id(const struct outbox *o)
{
	return o->id;
}

struct outbox_index *outbox_index(struct outbox *o)
{
	return &o->index;
}

/* ---- writing ---- */

static void leave_segment(struct outbox *o)
{
	fs_file_close(o->file);
	o->file = NULL;
	map_clear(&o->contexts);
}

static enum err_code begin_segment(struct outbox *o, struct error *reterr)
{
	struct outbox_segment header = { o->id, o->segment_no + 1, o->index.record_no_reserved };
	struct fs_path path = segment_path(o, header.segment_no);
	struct buf bytes;
	buf_init(&bytes, OUTBOX_SEGMENT_HEADER_BYTES);
	outbox_segment_write(&header, &bytes);
	if (bytes.failed)
		return error_set(reterr, ERR_NOMEM, "a new segment of the outbox");
	o->segment_no++; /* also on failure: a name is never used twice */
	enum err_code err = fs_write_atomic(path.text, buf_str(&bytes), FILE_MODE, reterr);
	if (!err)
		err = fs_file_open(path.text, FILE_MODE, &o->file, reterr);
	buf_done(&bytes);
	if (err)
		return err;
	o->salt = outbox_salt(&header);
	outbox_index_segment(&o->index, header.segment_no);
	return ERR_OK;
}

static enum err_code append_bytes(struct outbox *o, struct str bytes, struct error *reterr)
{
	enum err_code err = fs_file_append(o->file, bytes, reterr);
	if (err)
		leave_segment(o); /* it may be broken; the next append begins another */
	return err;
}

static enum err_code ready_to_append(struct outbox *o, struct error *reterr)
{
	if (o->file && fs_file_size(o->file) >= OUTBOX_SEGMENT_BYTES) {
		enum err_code err =
			outbox_sync(o, reterr); /* what it holds must not wait for a sync that never comes */
		leave_segment(o);
		if (err)
			return err;
	}
	return o->file ? ERR_OK : begin_segment(o, reterr);
}

static enum err_code reserve(struct outbox *o, size_t count, struct error *reterr)
{
	uint64_t next;
	if (!outbox_index_must_reserve(&o->index, count, &next))
		return ERR_OK;
	buf_clear(&o->group);
	if (!outbox_write_reserve(next, o->salt, &o->group))
		return error_set(reterr, ERR_NOMEM, "a reservation of record numbers");
	enum err_code err = append_bytes(o, buf_str(&o->group), reterr);
	if (!err)
		err = outbox_sync(o, reterr);
	if (!err)
		outbox_index_reserved(&o->index, next);
	return err;
}

struct written { /* where a record's entry stands in the group */
	size_t from, to;
};

static bool write_one(struct outbox *o, struct record *r, struct written *ret_written)
{
	if (r->is_answer) {
		bool is_new = false;
		*(bool *)map_put(&o->contexts, str_make(r->context->hash.bytes, HASH_BYTES), &is_new) = true;
		if (is_new && !outbox_write_context(r->context, o->salt, &o->group))
			return false;
	}
	r->m.record_no = outbox_index_number(&o->index);
	ret_written->from = o->group.len; /* behind its context */
	if (!outbox_write_record(r, o->salt, &o->group))
		return false;
	ret_written->to = o->group.len;
	return true;
}

static enum err_code cannot_write(const struct record *r, struct error *reterr)
{
	if (frame_record_bytes(&r->m) > RECORD_BYTES_MAX || r->item.len > OUTBOX_PAYLOAD_BYTES_MAX / 4)
		return error_set(reterr, ERR_LIMIT, "a record does not fit a frame");
	return error_set(reterr, ERR_NOMEM, "no memory to write a record");
}

static enum err_code write_group(struct outbox *o, struct record *const *records, size_t count, struct written *written,
                                 struct error *reterr)
{
	buf_clear(&o->group);
	uint64_t base = fs_file_size(o->file);
	for (size_t i = 0; i < count; i++)
		if (!write_one(o, records[i], &written[i]))
			return cannot_write(records[i], reterr);
	if (base + o->group.len > UINT32_MAX)
		return error_set(reterr, ERR_LIMIT, "segment %llu is too long", (unsigned long long)o->segment_no);
	return append_bytes(o, buf_str(&o->group), reterr);
}

static void index_group(struct outbox *o, struct record *const *records, size_t count, const struct written *written,
                        uint64_t base)
{
	for (size_t i = 0; i < count; i++) {
		size_t from = written[i].from;
		outbox_index_add(&o->index, records[i], (uint32_t)(base + from), (uint32_t)(written[i].to - from),
		                 true);
		if (!records[i]->is_answer)
			continue;
		mem_reserve(&o->unsynced, &o->unsynced_cap, o->unsynced_count + 1, sizeof(*o->unsynced));
		o->unsynced[o->unsynced_count++] = (struct unsynced){ records[i] };
	}
}

enum err_code outbox_append(struct outbox *o, struct record *const *records, size_t count, struct error *reterr)
{
	if (count == 0)
		return ERR_OK;
	enum err_code err = ready_to_append(o, reterr);
	if (!err)
		err = reserve(o, count, reterr);
	struct written *written = mem_new(count, sizeof(*written));
	uint64_t base = err ? 0 : fs_file_size(o->file);
	if (!err)
		err = write_group(o, records, count, written, reterr);
	if (!err)
		index_group(o, records, count, written, base);
	else
		for (size_t i = 0; i < count; i++)
			records[i]->m.record_no = 0;
	if (err)
		map_clear(&o->contexts); /* those of this group are not in the segment: written again with the next */
	mem_free(written);
	return err;
}

bool outbox_needs_sync(const struct outbox *o)
{
	return o->unsynced_count > 0;
}

enum err_code outbox_sync(struct outbox *o, struct error *reterr)
{
	if (!o->file)
		return ERR_OK;
	enum err_code err = fs_file_sync(o->file, reterr);
	for (size_t i = 0; err && i < o->unsynced_count; i++)
		o->unsynced[i].record->m.record_no = 0; /* the index forgets this copy when the next one comes */
	o->unsynced_count = 0;
	if (err)
		leave_segment(o); /* the kernel may have dropped what it could not write */
	return err;
}

enum err_code outbox_trim(struct outbox *o, const struct record_range *ranges, size_t count, uint64_t now_ms,
                          struct error *reterr)
{
	if (outbox_index_commit(&o->index, ranges, count, now_ms) == 0)
		return ERR_OK;
	enum err_code err = ready_to_append(o, reterr);
	if (err)
		return err;
	buf_clear(&o->group);
	if (!outbox_write_trim(ranges, count, o->salt, &o->group))
		return error_set(reterr, ERR_LIMIT, "%zu ranges in one Commit", count);
	return append_bytes(o, buf_str(&o->group), reterr);
}

/* ---- reading back ---- */

static enum err_code read_bytes(struct outbox *o, const struct outbox_place *place, uint64_t at, size_t len,
                                struct error *reterr)
{
	struct fs_path path = segment_path(o, place->segment_no);
	struct fs_file *file = NULL;
	buf_clear(&o->read);
	if (!buf_reserve(&o->read, len))
		return error_set(reterr, ERR_NOMEM, "record %llu of %zu bytes", (unsigned long long)place->record_no,
		                 len);
	enum err_code err = fs_file_open(path.text, FILE_MODE, &file, reterr);
	size_t got = 0;
	if (!err)
		err = fs_file_read(file, at, o->read.data, len, &got, reterr);
	fs_file_close(file);
	o->read.len = err ? 0 : got;
	return err;
}

static uint32_t salt_of(const struct outbox *o, uint64_t segment_no)
{
	struct outbox_segment header = { .id = o->id, .segment_no = segment_no };
	return outbox_salt(&header);
}

/* The context of an answer stands before it in the same segment. Borrowed: the outbox keeps it. */
static enum err_code find_context(struct outbox *o, const struct outbox_place *place, struct hash hash,
                                  struct exec_context **ret_context, struct error *reterr)
{
	struct str key = str_make(hash.bytes, HASH_BYTES);
	struct exec_context **known = map_get(&o->loaded_contexts, key);
	if (known) {
		*ret_context = *known;
		return ERR_OK;
	}
	struct buf segment;
	buf_init(&segment, (size_t)1 << 30);
	enum err_code err = fs_read(segment_path(o, place->segment_no).text, &segment, reterr);
	struct outbox_entry e;
	size_t at = OUTBOX_SEGMENT_HEADER_BYTES;
	uint64_t damaged = 0;
	struct exec_context *context = NULL;
	while (!err && !context &&
	       outbox_entry_next(buf_str(&segment), &at, salt_of(o, place->segment_no), &e, &damaged)) {
		struct hash found;
		struct str json;
		if (e.kind == OUTBOX_CONTEXT && outbox_read_context(&e, &found, &json, NULL) == ERR_OK &&
		    hash_eq(found, hash))
			context = exec_context_new(hash, json);
	}
	buf_done(&segment);
	if (err)
		return err;
	if (!context)
		return error_set(reterr, ERR_CORRUPT, "answer %llu: its run context is damaged",
		                 (unsigned long long)place->record_no);
	*(struct exec_context **)map_put(&o->loaded_contexts, key, NULL) = context;
	*ret_context = context;
	return ERR_OK;
}

static enum err_code decode(struct outbox *o, const struct outbox_place *place, struct record **ret_record,
                            struct error *reterr)
{
	struct outbox_entry e;
	size_t at = 0;
	uint64_t damaged = 0;
	bool is_whole = outbox_entry_next(buf_str(&o->read), &at, salt_of(o, place->segment_no), &e, &damaged);
	if (!is_whole || damaged > 0 || e.record_no != place->record_no)
		return error_set(reterr, ERR_CORRUPT, "record %llu is damaged", (unsigned long long)place->record_no);
	arena_reset(&o->scratch);
	const struct msg_record *m;
	struct outbox_answer answer;
	if (e.kind != OUTBOX_ANSWER) {
		enum err_code err = outbox_read_record(&e, &o->scratch, &m, reterr);
		if (!err)
			*ret_record = record_new(m, NULL, STR(""));
		return err;
	}
	struct exec_context *context = NULL;
	enum err_code err = outbox_read_answer(&e, &o->scratch, &answer, reterr);
	if (!err)
		err = find_context(o, place, answer.context_hash, &context, reterr);
	if (!err)
		*ret_record = record_new(answer.record, context, answer.item);
	return err;
}

static enum err_code load_place(struct outbox *o, const struct outbox_place *place, struct record **ret_record,
                                struct error *reterr)
{
	enum err_code err = read_bytes(o, place, place->at, place->len, reterr);
	if (!err)
		err = decode(o, place, ret_record, reterr);
	if (err == ERR_CORRUPT || err == ERR_NOT_FOUND) {
		o->index.damaged_count++;
		outbox_index_remove(&o->index, place->record_no);
	}
	return err;
}

enum err_code outbox_load(struct outbox *o, uint64_t record_no, struct record **ret_record, struct error *reterr)
{
	struct outbox_place place;
	if (!outbox_index_find(&o->index, record_no, &place))
		return error_set(reterr, ERR_NOT_FOUND, "record %llu is not in the outbox",
		                 (unsigned long long)record_no);
	return load_place(o, &place, ret_record, reterr);
}

enum err_code outbox_load_next(struct outbox *o, struct record **ret_record, struct error *reterr)
{
	struct outbox_place place;
	while (outbox_index_load(&o->index, &place)) {
		enum err_code err = load_place(o, &place, ret_record, reterr);
		if (err != ERR_CORRUPT && err != ERR_NOT_FOUND)
			return err;
	}
	*ret_record = NULL;
	return ERR_OK;
}

enum err_code outbox_clean(struct outbox *o, uint64_t now_ms, struct error *reterr)
{
	uint64_t segment_no;
	while (outbox_index_droppable(&o->index, now_ms, &segment_no)) {
		enum err_code err = fs_remove(segment_path(o, segment_no).text, reterr);
		if (err)
			return err;
		outbox_index_drop(&o->index, segment_no);
	}
	return ERR_OK;
}
