#include "worker/outbox/asklog.h"
#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/io/fs.h"
#include <string.h>

enum { MAGIC = 0x314C4B41 /* "AKL1" */, CHECKED_FROM = 8, FILE_MODE = 0600, PENDING_BYTES_MAX = 64 << 20 };

static void put(uint8_t *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const char *in, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)in[i] << (8 * i);
	return value;
}

void asklog_entry_write(const struct asklog_ask *ask, bool begins, uint8_t out[ASKLOG_ENTRY_BYTES])
{
	memset(out, 0, ASKLOG_ENTRY_BYTES);
	put(out, MAGIC, 4);
	put(out + 8, begins ? 1 : 2, 4);
	put(out + 12, ask->attempt_count, 4);
	put(out + 16, ask->key.run_id, 8);
	put(out + 24, ask->key.sample_no, 8);
	put(out + 32, ask->ask_id, 8);
	put(out + 40, (uint64_t)ask->at_ms, 8);
	put(out + 48, ask->key.retry_no, 4);
	put(out + 52, ask->key.scoring_no, 4);
	put(out + 4, hash_crc32c(str_make(out + CHECKED_FROM, ASKLOG_ENTRY_BYTES - CHECKED_FROM)), 4);
}

static bool entry_read(const char *in, struct asklog_ask *ret_ask, bool *ret_begins)
{
	uint32_t crc = hash_crc32c(str_make(in + CHECKED_FROM, ASKLOG_ENTRY_BYTES - CHECKED_FROM));
	uint64_t kind = get(in + 8, 4);
	if (get(in, 4) != MAGIC || get(in + 4, 4) != crc || (kind != 1 && kind != 2))
		return false;
	*ret_begins = kind == 1;
	*ret_ask = (struct asklog_ask){
		.key = { get(in + 16, 8), get(in + 24, 8), (uint32_t)get(in + 48, 4), (uint32_t)get(in + 52, 4) },
		.ask_id = get(in + 32, 8),
		.at_ms = (int64_t)get(in + 40, 8),
		.attempt_count = (uint32_t)get(in + 12, 4),
	};
	return true;
}

uint64_t asklog_replay(struct str bytes, struct map *open)
{
	uint64_t damaged = 0;
	for (size_t at = 0; bytes.len - at >= ASKLOG_ENTRY_BYTES; at += ASKLOG_ENTRY_BYTES) {
		struct asklog_ask ask;
		bool begins;
		if (!entry_read(bytes.data + at, &ask, &begins))
			damaged++;
		else if (begins)
			*(struct asklog_ask *)map_put_u64(open, ask.ask_id, NULL) = ask;
		else
			(void)map_remove_u64(open, ask.ask_id); /* its begin may have been damaged */
	}
	return damaged;
}

/* ---- files ---- */

struct asklog {
	struct fs_path path;
	struct fs_file *file; /* NULL after a failure that the file did not survive: written anew with the next flush */
	struct map open;      /* ask_id -> struct asklog_ask: begun, not ended; pending ones too */
	struct buf pending;
};

static struct fs_path path_of(const char *dir, uint32_t net)
{
	return fs_path("%s/asks-%u.log", dir, net);
}

enum err_code asklog_open(const char *dir, uint32_t net, struct asklog **ret_log, struct error *reterr)
{
	struct asklog *l = mem_new(1, sizeof(*l));
	l->path = path_of(dir, net);
	map_init(&l->open, sizeof(struct asklog_ask));
	buf_init(&l->pending, PENDING_BYTES_MAX);
	enum err_code err = fs_remove(l->path.text, reterr);
	if (!err)
		err = fs_file_open(l->path.text, FILE_MODE, &l->file, reterr);
	if (err) {
		asklog_close(l);
		return err;
	}
	*ret_log = l;
	return ERR_OK;
}

void asklog_close(struct asklog *l)
{
	if (!l)
		return;
	fs_file_close(l->file);
	map_done(&l->open);
	buf_done(&l->pending);
	mem_free(l);
}

static void note(struct asklog *l, const struct asklog_ask *ask, bool begins)
{
	uint8_t entry[ASKLOG_ENTRY_BYTES];
	asklog_entry_write(ask, begins, entry);
	check(buf_append(&l->pending, entry, sizeof(entry))); /* asks under way are bounded by the worker's slots */
}

void asklog_begin(struct asklog *l, const struct asklog_ask *ask)
{
	*(struct asklog_ask *)map_put_u64(&l->open, ask->ask_id, NULL) = *ask;
	note(l, ask, true);
}

void asklog_end(struct asklog *l, uint64_t ask_id)
{
	struct asklog_ask *found = map_get_u64(&l->open, ask_id);
	if (!found)
		return; /* an ask that never began: not allowed, no server */
	struct asklog_ask ask = *found;
	(void)map_remove_u64(&l->open, ask_id); /* it was just found */
	note(l, &ask, false);
}

/* The file with nothing but the asks under way. */
static enum err_code write_anew(struct asklog *l, struct error *reterr)
{
	struct buf bytes;
	buf_init(&bytes, PENDING_BYTES_MAX);
	struct asklog_ask *ask;
	for (size_t at = 0; (ask = map_next_u64(&l->open, &at, NULL)) != NULL;) {
		uint8_t entry[ASKLOG_ENTRY_BYTES];
		asklog_entry_write(ask, true, entry);
		(void)buf_append(&bytes, entry, sizeof(entry)); /* asked below */
	}
	check(!bytes.failed);
	fs_file_close(l->file);
	l->file = NULL;
	enum err_code err = fs_write_atomic(l->path.text, buf_str(&bytes), FILE_MODE, reterr);
	if (!err)
		err = fs_file_open(l->path.text, FILE_MODE, &l->file, reterr);
	if (!err)
		buf_clear(&l->pending);
	buf_done(&bytes);
	return err;
}

enum err_code asklog_flush(struct asklog *l, struct error *reterr)
{
	if (l->pending.len == 0)
		return ERR_OK;
	bool is_long = l->file && fs_file_size(l->file) >= ASKLOG_REWRITE_BYTES &&
	               l->open.len * ASKLOG_ENTRY_BYTES < fs_file_size(l->file) / 4;
	if (!l->file || is_long)
		return write_anew(l, reterr);
	enum err_code err = fs_file_append(l->file, buf_str(&l->pending), reterr);
	if (err) {
		fs_file_close(l->file);
		l->file = NULL;
		return err;
	}
	buf_clear(&l->pending);
	return ERR_OK;
}

static bool is_asklog(struct str name)
{
	return str_starts(name, STR("asks-")) && str_ends(name, STR(".log"));
}

static enum err_code read_one(const char *path, struct map *open, uint64_t *damaged, struct error *reterr)
{
	struct buf bytes;
	buf_init(&bytes, (size_t)1 << 30);
	enum err_code err = fs_read(path, &bytes, reterr);
	if (!err)
		*damaged += asklog_replay(buf_str(&bytes), open);
	buf_done(&bytes);
	return err;
}

enum err_code asklog_recover(const char *dir, struct map *open, uint64_t *ret_damaged, struct error *reterr)
{
	struct arena a;
	struct str *names;
	size_t count = 0;
	arena_init(&a, 64 << 20);
	enum err_code err = fs_list(dir, &a, &names, &count, reterr);
	*ret_damaged = 0;
	for (size_t i = 0; !err && i < count; i++)
		if (is_asklog(names[i]))
			err = read_one(fs_path("%s/%.*s", dir, STR_ARG(names[i])).text, open, ret_damaged, reterr);
	arena_done(&a);
	return err;
}

enum err_code asklog_remove_all(const char *dir, struct error *reterr)
{
	struct arena a;
	struct str *names;
	size_t count = 0;
	arena_init(&a, 64 << 20);
	enum err_code err = fs_list(dir, &a, &names, &count, reterr);
	for (size_t i = 0; !err && i < count; i++)
		if (is_asklog(names[i]))
			err = fs_remove(fs_path("%s/%.*s", dir, STR_ARG(names[i])).text, reterr);
	arena_done(&a);
	return err;
}
