#include "common/io/fs.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/fs_calls.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

PRINTF_LIKE(2, 0)
static void format_path(struct fs_path *path, const char *format, va_list args)
{
	int len = vsnprintf(path->text, sizeof(path->text), format, args);
	if (len < 0 || (size_t)len >= sizeof(path->text))
		path->text[0] = '\0';
}

struct fs_path fs_path(const char *format, ...)
{
	struct fs_path path;
	va_list args;
	va_start(args, format);
	format_path(&path, format, args);
	va_end(args);
	return path;
}

static enum err_code code_of_errno(int error_number)
{
	switch (error_number) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENAMETOOLONG:
	case ELOOP:
	case EISDIR:
		return ERR_INVALID;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

/* "cannot VERB 'PATH': REASON", from errno. */
static enum err_code fail(struct error *reterr, const char *verb, const char *path)
{
	int number = errno;
	if (path[0] == '\0')
		return error_set(reterr, ERR_INVALID, "cannot %s: the path is empty or longer than %d bytes", verb,
		                 FS_PATH_BYTES_MAX - 1);
	return error_set(reterr, code_of_errno(number), "cannot %s '%s': %s", verb, path, strerror(number));
}

static int open_again(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = fs_calls->open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static void close_quietly(int fd)
{
	(void)close(fd); /* what matters was synced before; EINTR closes too on Linux */
}

enum err_code fs_read(const char *path, struct buf *out, struct error *reterr)
{
	int fd = open_again(path, O_RDONLY, 0);
	if (fd < 0)
		return fail(reterr, "read", path);
	struct stat st;
	enum err_code err = ERR_OK;
	size_t guess = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		guess = (size_t)st.st_size;
	while (err == ERR_OK) {
		enum { CHUNK = 65536 };
		char spill[1]; /* finds out whether there is more, when the limit is reached */
		size_t left = out->max - out->len, want = MIN_OF(left, MAX_OF(guess + 1, (size_t)CHUNK));
		if (want && !buf_reserve(out, want)) {
			err = error_set(reterr, ERR_NOMEM, "no memory to read '%s'", path);
			break;
		}
		ssize_t n = fs_calls->read(fd, want ? out->data + out->len : spill, want ? want : sizeof(spill));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = fail(reterr, "read", path);
		else if (n > 0 && !want)
			err = error_set(reterr, ERR_LIMIT, "'%s' is longer than %zu bytes", path, out->max);
		if (n <= 0)
			break;
		if (want) {
			out->len += (size_t)n;
			out->data[out->len] = '\0';
			guess = 0;
		}
	}
	close_quietly(fd);
	return err;
}

enum err_code fs_write_all(int fd, struct str bytes, struct error *reterr)
{
	while (bytes.len) {
		ssize_t n = fs_calls->write(fd, bytes.data, bytes.len);
		if (n >= 0) {
			bytes = str_slice(bytes, (size_t)n, bytes.len);
			continue;
		}
		if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			(void)poll(&p, 1, -1); /* the next write tells */
		} else if (errno != EINTR) {
			return error_set(reterr, errno == EPIPE ? ERR_CONNECT : ERR_IO, "cannot write: %s",
			                 strerror(errno));
		}
	}
	return ERR_OK;
}

static struct fs_path folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return fs_path(".");
	return slash == path ? fs_path("/") : fs_path("%.*s", (int)(slash - path), path);
}

/* Makes a rename or a new name survive a power cut. */
static enum err_code sync_folder_of(const char *path, struct error *reterr)
{
	struct fs_path folder = folder_of(path);
	int fd = open_again(folder.text, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fail(reterr, "open the folder", folder.text);
	enum err_code err = ERR_OK;
	if (fs_calls->fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) /* some file systems have no such call */
		err = fail(reterr, "sync the folder", folder.text);
	close_quietly(fd);
	return err;
}

enum err_code fs_write_atomic(const char *path, struct str bytes, mode_t mode, struct error *reterr)
{
	static atomic_uint counter;
	struct fs_path temporary = fs_path("%s.tmp-%ld-%u", path, (long)getpid(), atomic_fetch_add(&counter, 1U));
	if (path[0] == '\0')
		temporary.text[0] = '\0';
	int fd = open_again(temporary.text, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fail(reterr, "write", temporary.text[0] ? path : "");
	enum err_code err = fs_write_all(fd, bytes, reterr);
	if (err != ERR_OK)
		err = error_wrap(reterr, err, "'%s'", path);
	else if (fchmod(fd, mode) != 0)
		err = fail(reterr, "set the mode of", path);
	else if (fs_calls->fsync(fd) != 0)
		err = fail(reterr, "sync", path);
	close_quietly(fd);
	if (err == ERR_OK && fs_calls->rename(temporary.text, path) != 0)
		err = fail(reterr, "replace", path);
	if (err != ERR_OK) {
		(void)unlink(temporary.text); /* not through the table: a full disk can still forget */
		return err;
	}
	return sync_folder_of(path, reterr);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum err_code fs_make_dirs(const char *path, mode_t mode, struct error *reterr)
{
	struct fs_path at = fs_path("%s", path);
	size_t len = strlen(at.text);
	if (len == 0)
		return fail(reterr, "make the folder", "");
	for (size_t i = 1; i <= len; i++) {
		if (i < len && at.text[i] != '/')
			continue;
		at.text[i] = '\0';
		if (fs_calls->mkdir(at.text, mode) != 0 && !(errno == EEXIST && is_folder(at.text))) {
			if (errno == EEXIST)
				return error_set(reterr, ERR_IO,
				                 "cannot make the folder '%s': it exists and is no folder", at.text);
			return fail(reterr, "make the folder", at.text);
		}
		if (i < len)
			at.text[i] = '/';
	}
	return ERR_OK;
}

enum err_code fs_info(const char *path, struct fs_info *ret_info, struct error *reterr)
{
	struct stat st;
	if (path[0] == '\0')
		return fail(reterr, "look at", path);
	if (lstat(path, &st) != 0) {
		if (code_of_errno(errno) != ERR_NOT_FOUND)
			return fail(reterr, "look at", path);
		*ret_info = (struct fs_info){ .exists = false };
		return ERR_OK;
	}
	*ret_info = (struct fs_info){
		.exists = true,
		.is_dir = S_ISDIR(st.st_mode),
		.is_file = S_ISREG(st.st_mode),
		.is_link = S_ISLNK(st.st_mode),
		.size = (uint64_t)st.st_size,
		.mode = st.st_mode & 07777,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
	};
	return ERR_OK;
}

bool fs_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static bool is_self_or_parent(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int compare_names(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The names go into the arena, the growing array only at the end. */
static enum err_code collect_names(DIR *dir, const char *path, struct arena *a, struct str **names, size_t *count,
                                   struct error *reterr)
{
	size_t cap = 0;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (!e)
			return errno ? fail(reterr, "list", path) : ERR_OK;
		if (is_self_or_parent(e->d_name))
			continue;
		size_t len = strlen(e->d_name);
		char *copy = arena_try_alloc(a, len + 1, 1);
		if (!copy)
			return error_set(reterr, ERR_LIMIT, "the folder '%s' has too many entries (after %zu)", path,
			                 *count);
		memcpy(copy, e->d_name, len + 1);
		mem_reserve(names, &cap, *count + 1, sizeof(**names));
		(*names)[(*count)++] = str_make(copy, len);
	}
}

enum err_code fs_list(const char *path, struct arena *a, struct str **ret_names, size_t *ret_count,
                      struct error *reterr)
{
	DIR *dir = opendir(path);
	if (!dir)
		return fail(reterr, "list", path);
	struct str *names = NULL;
	size_t count = 0;
	enum err_code err = collect_names(dir, path, a, &names, &count, reterr);
	(void)closedir(dir); /* read only */
	if (err == ERR_OK) {
		struct str *kept = arena_try_alloc(a, MAX_OF(count, (size_t)1), sizeof(*kept));
		if (!kept) {
			err = error_set(reterr, ERR_LIMIT, "the folder '%s' has too many entries (%zu)", path, count);
		} else {
			if (count) {
				qsort(names, count, sizeof(*names), compare_names);
				memcpy(kept, names, count * sizeof(*names));
			}
			*ret_names = kept;
			*ret_count = count;
		}
	}
	mem_free(names);
	return err;
}

enum err_code fs_rename(const char *from, const char *to, struct error *reterr)
{
	if (fs_calls->rename(from, to) != 0)
		return fail(reterr, "rename", from);
	return sync_folder_of(to, reterr);
}

enum err_code fs_remove(const char *path, struct error *reterr)
{
	if (path[0] != '\0' && (fs_calls->unlink(path) == 0 || code_of_errno(errno) == ERR_NOT_FOUND))
		return ERR_OK;
	return fail(reterr, "remove", path);
}

enum { TREE_DEPTH_MAX = 128 }; /* one descriptor a level */

/* Empties the folder behind `fd`, which it closes. `path` is for messages. */
static enum err_code empty_folder(int fd, dev_t device, unsigned depth, const char *path, struct error *reterr)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close_quietly(fd);
		return fail(reterr, "list", path);
	}
	enum err_code err = ERR_OK;
	while (err == ERR_OK) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (!e) {
			err = errno ? fail(reterr, "list", path) : ERR_OK;
			break;
		}
		if (is_self_or_parent(e->d_name) || unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		struct fs_path child_path = fs_path("%s/%s", path, e->d_name);
		if (errno != EISDIR) {
			err = fail(reterr, "remove", child_path.text);
			break;
		}
		struct stat st;
		int child = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 || fstat(child, &st) != 0) {
			err = fail(reterr, "remove", child_path.text);
			if (child >= 0)
				close_quietly(child);
		} else if (st.st_dev != device || depth >= TREE_DEPTH_MAX) {
			err = error_set(reterr, ERR_LIMIT, "will not remove '%s': %s", child_path.text,
			                st.st_dev != device ? "another file system is mounted there" : "too deep");
			close_quietly(child);
		} else {
			err = empty_folder(child, device, depth + 1, child_path.text, reterr);
			if (err == ERR_OK && unlinkat(fd, e->d_name, AT_REMOVEDIR) != 0)
				err = fail(reterr, "remove", child_path.text);
		}
	}
	(void)closedir(dir); /* read only; closes fd */
	return err;
}

enum err_code fs_remove_tree(const char *path, struct error *reterr)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	const char *last = memrchr(path, '/', len);
	struct fs_path name = fs_path("%.*s", (int)(path + len - (last ? last + 1 : path)), last ? last + 1 : path);
	if (name.text[0] == '\0' || is_self_or_parent(name.text))
		return error_set(reterr, ERR_INVALID, "will not remove '%s'", path);
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? error_set(reterr, ERR_INVALID, "'%s' is no folder", path)
		       : errno == ENOENT                  ? ERR_OK
		                                          : fail(reterr, "remove", path);
	if (fstat(fd, &st) != 0) {
		close_quietly(fd);
		return fail(reterr, "look at", path);
	}
	enum err_code err = empty_folder(fd, st.st_dev, 0, path, reterr);
	if (err == ERR_OK && rmdir(path) != 0)
		err = fail(reterr, "remove", path);
	return err;
}

enum err_code fs_set_owner(const char *path, uid_t uid, gid_t gid, struct error *reterr)
{
	return lchown(path, uid, gid) == 0 ? ERR_OK : fail(reterr, "set the owner of", path);
}

enum err_code fs_set_mode(const char *path, mode_t mode, struct error *reterr)
{
	return chmod(path, mode) == 0 ? ERR_OK : fail(reterr, "set the mode of", path);
}

enum err_code fs_real_path(const char *path, struct fs_path *ret_path, struct error *reterr)
{
	char *real = realpath(path, NULL);
	if (!real)
		return fail(reterr, "find", path);
	struct fs_path found = fs_path("%s", real);
	free(real); /* the C library's */
	if (found.text[0] == '\0')
		return fail(reterr, "find", "");
	*ret_path = found;
	return ERR_OK;
}

enum err_code fs_free_bytes(const char *path, uint64_t *ret_bytes, struct error *reterr)
{
	struct statvfs st;
	if (statvfs(path, &st) != 0)
		return fail(reterr, "ask for free space at", path);
	*ret_bytes = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
	return ERR_OK;
}
