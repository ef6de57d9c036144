#include "common/io/fs_calls.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int real_open(const char *path, int flags, mode_t mode) /* open() itself is variadic */
{
	return open(path, flags, mode);
}

static const struct fs_calls real = { real_open, read,   pread, write,  fsync, fdatasync,
	                              ftruncate, rename, mkdir, unlink, flock };

static const struct fs_calls *base = &real; /* what the failing table passes on to */
static unsigned fault_kinds;
static int fault_errno;
static bool fault_for_good;
static _Atomic uint64_t fault_in; /* calls until it fails; 0: off */
static atomic_bool fault_hit;

static bool must_fail(enum fs_calls_kind kind)
{
	if (!(fault_kinds & (unsigned)kind) || atomic_load(&fault_in) == 0)
		return false;
	if (atomic_fetch_sub(&fault_in, 1) != 1)
		return false;
	if (fault_for_good)
		atomic_store(&fault_in, 1);
	atomic_store(&fault_hit, true);
	errno = fault_errno;
	return true;
}

static int failing_open(const char *path, int flags, mode_t mode)
{
	return must_fail(FS_CALLS_OPEN) ? -1 : base->open(path, flags, mode);
}

static ssize_t failing_read(int fd, void *out, size_t len)
{
	return must_fail(FS_CALLS_READ) ? -1 : base->read(fd, out, len);
}

static ssize_t failing_pread(int fd, void *out, size_t len, off_t at)
{
	return must_fail(FS_CALLS_READ) ? -1 : base->pread(fd, out, len, at);
}

static ssize_t failing_write(int fd, const void *data, size_t len)
{
	return must_fail(FS_CALLS_WRITE) ? -1 : base->write(fd, data, len);
}

static int failing_fsync(int fd)
{
	return must_fail(FS_CALLS_SYNC) ? -1 : base->fsync(fd);
}

static int failing_fdatasync(int fd)
{
	return must_fail(FS_CALLS_SYNC) ? -1 : base->fdatasync(fd);
}

static int failing_ftruncate(int fd, off_t len)
{
	return must_fail(FS_CALLS_TRUNCATE) ? -1 : base->ftruncate(fd, len);
}

static int failing_rename(const char *from, const char *to)
{
	return must_fail(FS_CALLS_RENAME) ? -1 : base->rename(from, to);
}

static int failing_mkdir(const char *path, mode_t mode)
{
	return must_fail(FS_CALLS_MKDIR) ? -1 : base->mkdir(path, mode);
}

static int failing_unlink(const char *path)
{
	return must_fail(FS_CALLS_UNLINK) ? -1 : base->unlink(path);
}

static int failing_flock(int fd, int operation)
{
	return must_fail(FS_CALLS_FLOCK) ? -1 : base->flock(fd, operation);
}

static const struct fs_calls failing = { failing_open,  failing_read,      failing_pread,     failing_write,
	                                 failing_fsync, failing_fdatasync, failing_ftruncate, failing_rename,
	                                 failing_mkdir, failing_unlink,    failing_flock };

const struct fs_calls *fs_calls = &real;

const struct fs_calls *fs_calls_real(void)
{
	return &real;
}

void fs_calls_set(const struct fs_calls *calls)
{
	base = calls ? calls : &real;
	fs_calls = base;
}

void fs_calls_fail_at(unsigned kinds, uint64_t nth, int error_number, bool for_good)
{
	fault_kinds = kinds;
	fault_errno = error_number;
	fault_for_good = for_good;
	atomic_store(&fault_in, nth);
	atomic_store(&fault_hit, false);
	fs_calls = nth ? &failing : base;
}

bool fs_calls_fault_hit(void)
{
	return atomic_load(&fault_hit);
}
