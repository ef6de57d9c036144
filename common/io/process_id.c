/* Which process: the identity and look-up part of process.h. */
#include "common/io/process.h"
#include "common/io/process_private.h"
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_boot_id(char out[40])
{
	struct buf text;
	buf_init(&text, 64);
	struct str id = STR("-");
	if (fs_read("/proc/sys/kernel/random/boot_id", &text, NULL) == ERR_OK && str_trim(buf_str(&text)).len < 40)
		id = str_trim(buf_str(&text));
	(void)snprintf(out, 40, "%.*s", STR_ARG(id)); /* measured above */
	buf_done(&text);
}

/* Field 3 and 22 of /proc/PID/stat; the name in field 2 may hold anything, so fields count from its last ")". */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ret_start_ticks)
{
	struct buf text;
	buf_init(&text, 4096);
	bool good = fs_read(fs_path("/proc/%ld/stat", (long)pid).text, &text, NULL) == ERR_OK;
	const char *name_end = good && text.len ? memrchr(text.data, ')', text.len) : NULL;
	good = false;
	if (name_end) {
		struct str rest = str_trim(str_slice(buf_str(&text), (size_t)(name_end + 1 - text.data), text.len)),
			   word;
		for (int field = 3; str_split(&rest, ' ', &word); field++) {
			if (field == 3)
				*ret_state = word.len ? word.data[0] : '?';
			if (field == 22)
				good = str_to_u64(word, ret_start_ticks);
		}
	}
	buf_done(&text);
	return good;
}

enum err_code process_id_of(pid_t pid, struct process_id *ret_id, struct error *reterr)
{
	char state;
	struct process_id id = { .pid = pid };
	if (pid <= 0 || !read_stat(pid, &state, &id.start_ticks))
		return error_set(reterr, ERR_NOT_FOUND, "there is no process %ld", (long)pid);
	read_boot_id(id.boot);
	*ret_id = id;
	return ERR_OK;
}

bool process_id_alive(const struct process_id *id)
{
	char state, boot[40];
	uint64_t start_ticks;
	if (id->pid <= 0 || !read_stat(id->pid, &state, &start_ticks) || start_ticks != id->start_ticks)
		return false;
	read_boot_id(boot);
	return state != 'Z' && state != 'X' && strcmp(boot, id->boot) == 0;
}

static enum err_code gone(const struct process_id *id, struct error *reterr)
{
	return error_set(reterr, ERR_NOT_FOUND, "process %ld has ended", (long)id->pid);
}

/* The descriptor first, then the look: from then on nobody else can be meant. */
static enum err_code open_id(const struct process_id *id, int *ret_fd, struct error *reterr)
{
	int fd = id->pid > 0 ? pidfd_open(id->pid, 0) : -1;
	if (fd < 0)
		return id->pid <= 0 || errno == ESRCH ? gone(id, reterr)
		                                      : error_set(reterr, ERR_IO, "cannot reach process %ld: %s",
		                                                  (long)id->pid, strerror(errno));
	if (!process_id_alive(id)) {
		(void)close(fd);
		return gone(id, reterr);
	}
	*ret_fd = fd;
	return ERR_OK;
}

enum err_code process_id_kill(const struct process_id *id, int signal_number, bool group, struct error *reterr)
{
	int fd = -1;
	enum err_code err = open_id(id, &fd, reterr);
	if (err != ERR_OK)
		return err;
	/* There is no descriptor for a group: its number is its head's, which was alive a moment ago. */
	if ((group ? kill(-id->pid, signal_number) : pidfd_send_signal(fd, signal_number, NULL, 0)) != 0)
		err = errno == ESRCH ? gone(id, reterr)
		                     : error_set(reterr, errno == EPERM ? ERR_DENIED : ERR_IO,
		                                 "cannot signal process %ld: %s", (long)id->pid, strerror(errno));
	(void)close(fd);
	return err;
}

enum err_code process_id_wait(const struct process_id *id, int timeout_ms, struct error *reterr)
{
	int fd = -1;
	enum err_code err = open_id(id, &fd, reterr);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	if (!process_await_fd(fd, timeout_ms))
		err = error_set(reterr, ERR_TIMEOUT, "process %ld still runs after %d ms", (long)id->pid, timeout_ms);
	(void)close(fd);
	return err;
}

void process_id_text(const struct process_id *id, char out[PROCESS_ID_TEXT_BYTES])
{
	(void)snprintf(out, PROCESS_ID_TEXT_BYTES, "%ld %llu %s", (long)id->pid, (unsigned long long)id->start_ticks,
	               id->boot); /* 11 + 21 + 40 */
}

bool process_id_from_text(struct str text, struct process_id *ret_id)
{
	struct str rest = str_trim(text), pid_text, start_text, boot_text;
	uint64_t pid;
	struct process_id id = { .pid = 0 };
	if (!str_split(&rest, ' ', &pid_text) || !str_split(&rest, ' ', &start_text) ||
	    !str_split(&rest, ' ', &boot_text) || rest.data || !str_to_u64(pid_text, &pid) || pid == 0 ||
	    pid > INT32_MAX || !str_to_u64(start_text, &id.start_ticks) || boot_text.len == 0 ||
	    boot_text.len >= sizeof(id.boot))
		return false;
	for (size_t i = 0; i < boot_text.len; i++)
		if (boot_text.data[i] <= ' ' || boot_text.data[i] > '~')
			return false;
	id.pid = (pid_t)pid;
	(void)snprintf(id.boot, sizeof(id.boot), "%.*s", STR_ARG(boot_text)); /* measured above */
	*ret_id = id;
	return true;
}

static bool is_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool process_find(const char *program, struct fs_path *ret_path)
{
	if (strchr(program, '/')) {
		*ret_path = fs_path("%s", program);
		return is_program(ret_path->text);
	}
	const char *path = getenv("PATH");
	struct str rest = str_from(path && *path ? path : "/usr/local/bin:/usr/bin:/bin"), folder;
	while (program[0] && str_split(&rest, ':', &folder)) {
		*ret_path = fs_path("%.*s/%s", STR_ARG(folder.len ? folder : STR(".")), program);
		if (is_program(ret_path->text))
			return true;
	}
	return false;
}

bool process_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	struct passwd entry, *found = NULL;
	char memory[16384];
	if (getpwnam_r(name, &entry, memory, sizeof(memory), &found) != 0 || !found)
		return false;
	*ret_uid = entry.pw_uid;
	*ret_gid = entry.pw_gid;
	return true;
}
