/* The append file and the lock of fs.h. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/fs.h"
#include "common/io/fs_calls.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct fs_file {
	int fd;
	uint64_t size;
	bool broken;
	struct fs_path path;
};

struct fs_lock {
	int fd;
};

static enum err_code fail(struct error *reterr, const char *verb, const char *path)
{
	int number = errno;
	enum err_code code = number == EACCES || number == EPERM || number == EROFS ? ERR_DENIED
	                     : number == ENOENT || number == ENOTDIR                ? ERR_NOT_FOUND
	                                                                            : ERR_IO;
	return error_set(reterr, code, "cannot %s '%s': %s", verb, path, strerror(number));
}

enum err_code fs_file_open(const char *path, mode_t mode, struct fs_file **ret_file, struct error *reterr)
{
	struct stat st;
	int fd = fs_calls->open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(reterr, "open", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd); /* nothing was written */
		return error_set(reterr, ERR_INVALID, "cannot open '%s': no ordinary file", path);
	}
	struct fs_file *f = mem_new(1, sizeof(*f));
	f->fd = fd;
	f->size = (uint64_t)st.st_size;
	f->path = fs_path("%s", path);
	*ret_file = f;
	return ERR_OK;
}

void fs_file_close(struct fs_file *f)
{
	if (!f)
		return;
	(void)close(f->fd); /* what had to last was synced */
	mem_free(f);
}

uint64_t fs_file_size(const struct fs_file *f)
{
	return f->size;
}

static enum err_code refuse_broken(const struct fs_file *f, struct error *reterr)
{
	return error_set(reterr, ERR_IO, "'%s' is not used any more: an earlier write or sync of it failed",
	                 f->path.text);
}

enum err_code fs_file_append(struct fs_file *f, struct str bytes, struct error *reterr)
{
	if (f->broken)
		return refuse_broken(f, reterr);
	struct str rest = bytes;
	while (rest.len) {
		ssize_t n = fs_calls->write(f->fd, rest.data, rest.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			enum err_code err = fail(reterr, "append to", f->path.text);
			if (rest.len < bytes.len && fs_calls->ftruncate(f->fd, (off_t)f->size) != 0)
				f->broken = true; /* half a write stays at its end */
			return err;
		}
		rest = str_slice(rest, (size_t)n, rest.len);
	}
	f->size += bytes.len;
	return ERR_OK;
}

enum err_code fs_file_sync(struct fs_file *f, struct error *reterr)
{
	if (f->broken)
		return refuse_broken(f, reterr);
	if (fs_calls->fdatasync(f->fd) == 0)
		return ERR_OK;
	f->broken = true;
	return fail(reterr, "sync", f->path.text);
}

enum err_code fs_file_truncate(struct fs_file *f, uint64_t size, struct error *reterr)
{
	check_msg(size <= f->size, "%llu bytes of %llu", (unsigned long long)size, (unsigned long long)f->size);
	if (f->broken)
		return refuse_broken(f, reterr);
	if (fs_calls->ftruncate(f->fd, (off_t)size) != 0)
		return fail(reterr, "shorten", f->path.text);
	f->size = size;
	return ERR_OK;
}

enum err_code fs_file_read(struct fs_file *f, uint64_t at, void *out, size_t len, size_t *ret_len, struct error *reterr)
{
	size_t got = 0;
	if (f->broken)
		return refuse_broken(f, reterr);
	while (got < len) {
		ssize_t n = fs_calls->pread(f->fd, (char *)out + got, len - got, (off_t)(at + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(reterr, "read", f->path.text);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret_len = got;
	return ERR_OK;
}

static enum err_code say_holder(int fd, const char *path, struct error *reterr)
{
	char text[32];
	ssize_t n = fs_calls->pread(fd, text, sizeof(text), 0);
	struct str holder = str_trim(str_make(text, n > 0 ? (size_t)n : 0));
	uint64_t pid;
	if (str_to_u64(holder, &pid))
		return error_set(reterr, ERR_CONFLICT, "'%s' is held by process %llu", path, (unsigned long long)pid);
	return error_set(reterr, ERR_CONFLICT, "'%s' is held by another process", path);
}

enum err_code fs_lock_take(const char *path, struct fs_lock **ret_lock, struct error *reterr)
{
	int fd = fs_calls->open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(reterr, "open the lock", path);
	enum err_code err = ERR_OK;
	if (fs_calls->flock(fd, LOCK_EX | LOCK_NB) != 0)
		err = errno == EWOULDBLOCK ? say_holder(fd, path, reterr) : fail(reterr, "lock", path);
	if (err != ERR_OK) {
		(void)close(fd); /* nothing was written */
		return err;
	}
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (fs_calls->ftruncate(fd, 0) != 0 || fs_calls->write(fd, text, (size_t)len) != len) {
		/* the name of the holder is only a courtesy: the lock itself is the kernel's */
	}
	struct fs_lock *l = mem_new(1, sizeof(*l));
	l->fd = fd;
	*ret_lock = l;
	return ERR_OK;
}

void fs_lock_release(struct fs_lock *l)
{
	if (!l)
		return;
	(void)close(l->fd); /* releases it */
	mem_free(l);
}
