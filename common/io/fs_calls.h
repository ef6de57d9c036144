/* common/io/fs_calls.h - the system calls that can fail, as a table that tests may replace.
 *
 * Production never changes it. A test makes the disk full with fs_calls_fail_at(), or brings its own table for things
 * like short writes. Set it while no other thread uses fs.h. */
#ifndef ASSAY_IO_FS_CALLS_H
#define ASSAY_IO_FS_CALLS_H

#include "common/base/base.h"
#include <sys/stat.h>
#include <sys/types.h>

struct fs_calls {
	int (*open)(const char *path, int flags, mode_t mode);
	ssize_t (*read)(int fd, void *out, size_t len);
	ssize_t (*pread)(int fd, void *out, size_t len, off_t at);
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*fsync)(int fd);
	int (*fdatasync)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*rename)(const char *from, const char *to);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*flock)(int fd, int operation);
};

enum fs_calls_kind { /* bits, for fs_calls_fail_at() */
	             FS_CALLS_OPEN = 1,
	             FS_CALLS_READ = 2, /* read and pread */
	             FS_CALLS_WRITE = 4,
	             FS_CALLS_SYNC = 8, /* fsync and fdatasync */
	             FS_CALLS_TRUNCATE = 16,
	             FS_CALLS_RENAME = 32,
	             FS_CALLS_MKDIR = 64,
	             FS_CALLS_UNLINK = 128,
	             FS_CALLS_FLOCK = 256,
	             FS_CALLS_ANY = 511,
};

extern const struct fs_calls *fs_calls; /* what fs.c calls through */

void fs_calls_set(const struct fs_calls *calls); /* borrowed; NULL: the real ones, no faults */
const struct fs_calls *fs_calls_real(void);

/* The nth call from now (1 = the next) of the kinds in `kinds` fails with `error_number`, and with `for_good` every one
 * after it too, as on a full disk. nth 0 turns it off. Returns nothing; fs_calls_fault_hit() tells if it came to it. */
void fs_calls_fail_at(unsigned kinds, uint64_t nth, int error_number, bool for_good);
bool fs_calls_fault_hit(void);

#endif
