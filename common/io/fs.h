/* common/io/fs.h - files and folders: whole reads with a limit, atomic writes, append files, locks, removal.
 *
 * Errors name the path and the reason of the system. Missing is ERR_NOT_FOUND on reads, a value elsewhere. All
 * descriptors close on exec. Paths are C strings, relative to the working directory; an empty one is ERR_INVALID (what
 * fs_path() gives when the text was too long). Any thread; one fs_file belongs to one thread at a time. */
#ifndef ASSAY_IO_FS_H
#define ASSAY_IO_FS_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include <sys/types.h>

enum { FS_PATH_BYTES_MAX = 4096 };

struct fs_path {
	char text[FS_PATH_BYTES_MAX];
};

struct fs_path fs_path(const char *format, ...) PRINTF_LIKE(1, 2); /* fs_path("%s/%s", home, "token").text */

struct fs_info {
	bool exists, is_dir, is_file, is_link;
	uint64_t size;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
	int64_t changed_ms; /* wall time of the last change of its content */
};

/* Appends the whole file to `out`, whose own limit is the limit: past it ERR_LIMIT. Reads /proc files too. */
enum err_code fs_read(const char *path, struct buf *out, struct error *reterr) MUST_CHECK;

/* Afterwards the path holds the old bytes or the new ones, also after a power cut: temporary file beside it, fsync,
 * rename, fsync of the folder. `mode` is exact (no umask). An error leaves the old file and no temporary. */
enum err_code fs_write_atomic(const char *path, struct str bytes, mode_t mode, struct error *reterr) MUST_CHECK;

enum err_code fs_make_dirs(const char *path, mode_t mode,
                           struct error *reterr) MUST_CHECK; /* mkdir -p; mode for new ones */
enum err_code fs_info(const char *path, struct fs_info *ret_info,
                      struct error *reterr) MUST_CHECK; /* follows no link */
bool fs_exists(const char *path);
enum err_code fs_list(const char *path, struct arena *a, struct str **ret_names, size_t *ret_count,
                      struct error *reterr) MUST_CHECK; /* sorted by bytes, without . and ..; NUL-terminated in `a` */
enum err_code fs_rename(const char *from, const char *to,
                        struct error *reterr) MUST_CHECK;                   /* and fsync of the folder */
enum err_code fs_remove(const char *path, struct error *reterr) MUST_CHECK; /* one file; missing is fine */

/* Removes a folder with all below it, by descriptors: follows no symbolic link and crosses into no other file system.
 * Refuses "/", "." and "..". Missing is fine. */
enum err_code fs_remove_tree(const char *path, struct error *reterr) MUST_CHECK;
enum err_code fs_set_owner(const char *path, uid_t uid, gid_t gid, struct error *reterr) MUST_CHECK;
enum err_code fs_set_mode(const char *path, mode_t mode, struct error *reterr) MUST_CHECK;
enum err_code fs_real_path(const char *path, struct fs_path *ret_path, struct error *reterr) MUST_CHECK;
enum err_code fs_free_bytes(const char *path, uint64_t *ret_bytes,
                            struct error *reterr) MUST_CHECK; /* for us, not root */

/* An append-only file that can be read back and cut. A write that fails half-way is taken back, so the file ends where
 * it ended before; if that fails too, or a sync fails (the kernel may have dropped the pages), the file is broken:
 * every later call but close is ERR_IO. */
struct fs_file;
enum err_code fs_file_open(const char *path, mode_t mode, struct fs_file **ret_file, struct error *reterr) MUST_CHECK;
void fs_file_close(struct fs_file *f); /* accepts NULL; does not sync */
uint64_t fs_file_size(const struct fs_file *f);
enum err_code fs_file_append(struct fs_file *f, struct str bytes, struct error *reterr) MUST_CHECK;
enum err_code fs_file_sync(struct fs_file *f, struct error *reterr) MUST_CHECK;                    /* fdatasync */
enum err_code fs_file_truncate(struct fs_file *f, uint64_t size, struct error *reterr) MUST_CHECK; /* only shorter */
enum err_code fs_file_read(struct fs_file *f, uint64_t at, void *out, size_t len, size_t *ret_len,
                           struct error *reterr) MUST_CHECK; /* fewer bytes only at the end */

/* One holder among all processes, for as long as the holder lives. ERR_CONFLICT when held; the text names its pid. */
struct fs_lock;
enum err_code fs_lock_take(const char *path, struct fs_lock **ret_lock, struct error *reterr) MUST_CHECK;
void fs_lock_release(struct fs_lock *l); /* accepts NULL; the file stays */

/* Writes all of it to a descriptor (pipe, terminal, file); waits where the descriptor would block. */
enum err_code fs_write_all(int fd, struct str bytes, struct error *reterr) MUST_CHECK;

#endif
