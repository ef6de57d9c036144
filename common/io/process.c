#include "common/io/process.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/process_private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid;
	int pidfd, out_fd, err_fd;
	bool reaped;
	struct process_status status;
};

enum step { STEP_SESSION, STEP_OUTPUT, STEP_CWD, STEP_USER, STEP_FDS, STEP_PARENT, STEP_MEMORY, STEP_EXEC };
static const char *const step_names[] = { "make its session", "set its outputs", "enter its folder",
	                                  "change the user",  "close files",     "bind it to its parent",
	                                  "limit its memory", "run it" };

struct failure { /* what the child says through the pipe when it does not come to exec */
	enum step step;
	int error_number;
};

struct launch { /* all that the child needs, made before the fork: it may only make system calls */
	const struct process_spec *spec;
	const char *program;
	char **env;
	int in_fd, out_fd, err_fd, report_fd;
	pid_t parent;
	char oom_text[12]; /* empty: no wish */
};

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* pipes and read-only files */
	*fd = -1;
}

_Noreturn static void child_fail(const struct launch *l, enum step step)
{
	struct failure f = { step, errno };
	ssize_t n = write(l->report_fd, &f, sizeof(f));
	(void)n; /* nobody left to tell */
	_exit(127);
}

/* Moves a descriptor out of the way of 0, 1 and 2. */
static int lift(int fd)
{
	return fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void child_set_files(struct launch *l)
{
	const struct process_spec *s = l->spec;
	l->report_fd = lift(l->report_fd);
	int in = lift(l->in_fd);
	int out = s->stdout_to == PROCESS_OUTPUT_INHERIT ? lift(STDOUT_FILENO) : lift(l->out_fd);
	int err = s->stderr_to == PROCESS_OUTPUT_INHERIT  ? lift(STDERR_FILENO)
	          : s->stderr_to == PROCESS_OUTPUT_STDOUT ? out
	                                                  : lift(l->err_fd);
	if (in < 0 || out < 0 || err < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		child_fail(l, STEP_OUTPUT);
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		child_fail(l, STEP_FDS);
	for (size_t i = 0; i < s->keep_fd_count; i++)
		if (fcntl(s->keep_fds[i], F_SETFD, 0) != 0)
			child_fail(l, STEP_FDS);
}

static void child_limit_memory(const struct launch *l)
{
	struct rlimit most = { l->spec->data_bytes_max, l->spec->data_bytes_max };
	if (l->spec->data_bytes_max > 0 && setrlimit(RLIMIT_DATA, &most) != 0)
		child_fail(l, STEP_MEMORY);
	int fd = l->oom_text[0] ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	ssize_t n = write(fd, l->oom_text, strlen(l->oom_text));
	(void)n;         /* a wish: a machine that does not grant it is no reason not to start */
	(void)close(fd); /* nothing is cached */
}

_Noreturn static void child_main(struct launch *l)
{
	const struct process_spec *s = l->spec;
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* refused for KILL, STOP and the C library's own two */
	if (s->new_session ? setsid() < 0 : setpgid(0, 0) != 0)
		child_fail(l, STEP_SESSION);
	child_set_files(l);
	/* Raw calls: the C library's set the ids of all threads, and here is only one. */
	if (s->drop_user && (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setgid, s->gid) != 0 ||
	                     syscall(SYS_setuid, s->uid) != 0))
		child_fail(l, STEP_USER);
	if (s->cwd && chdir(s->cwd) != 0)
		child_fail(l, STEP_CWD);
	if (s->die_with_parent) { /* after the ids: changing them clears it */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
			child_fail(l, STEP_PARENT);
		if (getppid() != l->parent)
			_exit(127);
	}
	child_limit_memory(l);
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with these arguments */
	(void)execve(l->program, (char *const *)(uintptr_t)s->argv, l->env);
	child_fail(l, STEP_EXEC);
}

/* "NAME=value" or "NAME" is about the variable of `entry` ("NAME=value"). */
static bool same_name(const char *entry, const char *wanted)
{
	size_t len = strcspn(wanted, "=");
	return strncmp(entry, wanted, len) == 0 && entry[len] == '=';
}

static bool any_names(const char *entry, const char *const *list)
{
	for (; list && *list; list++)
		if (same_name(entry, *list))
			return true;
	return false;
}

/* Pointers only; the texts stay where they are. */
static char **make_env(const struct process_spec *s)
{
	static const char *const nothing[] = { NULL };
	char **ours = s->env_clear || !environ ? (char **)(uintptr_t)nothing : environ, **env = NULL;
	size_t count = 0, cap = 0;
	for (char **e = ours; *e; e++) {
		if (any_names(*e, s->env_set) || any_names(*e, s->env_drop))
			continue;
		mem_reserve(&env, &cap, count + 1, sizeof(*env));
		env[count++] = *e;
	}
	for (const char *const *e = s->env_set; e && *e; e++) {
		mem_reserve(&env, &cap, count + 1, sizeof(*env));
		env[count++] = (char *)(uintptr_t)*e; /* execve() takes char ** and changes nothing */
	}
	mem_reserve(&env, &cap, count + 1, sizeof(*env));
	env[count] = NULL;
	return env;
}

static enum err_code make_pipe(int *ret_read, int *ret_write, struct error *reterr)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(reterr, ERR_IO, "cannot make a pipe: %s", strerror(errno));
	*ret_read = ends[0];
	*ret_write = ends[1];
	return ERR_OK;
}

/* What the child writes to; *ret_ours is our end of a pipe, or -1. */
static enum err_code open_output(enum process_output to, const char *path, int *ret_theirs, int *ret_ours,
                                 struct error *reterr)
{
	enum err_code err;
	*ret_theirs = *ret_ours = -1;
	switch (to) {
	case PROCESS_OUTPUT_INHERIT:
	case PROCESS_OUTPUT_STDOUT:
		return ERR_OK;
	case PROCESS_OUTPUT_NULL:
		*ret_theirs = open("/dev/null", O_WRONLY | O_CLOEXEC);
		break;
	case PROCESS_OUTPUT_FILE:
		*ret_theirs = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		break;
	case PROCESS_OUTPUT_PIPE:
		err = make_pipe(ret_ours, ret_theirs, reterr);
		if (err == ERR_OK && fcntl(*ret_ours, F_SETFL, O_NONBLOCK) != 0)
			err = error_set(reterr, ERR_IO, "cannot make a pipe: %s", strerror(errno));
		return err;
	}
	if (*ret_theirs >= 0)
		return ERR_OK;
	return error_set(reterr, ERR_IO, "cannot open %s: %s", to == PROCESS_OUTPUT_FILE ? path : "an output",
	                 strerror(errno));
}

/* Waits until the child has become its program, or says why it could not. */
static enum err_code await_exec(int report_fd, const char *name, struct error *reterr)
{
	struct failure f;
	ssize_t n;
	do
		n = read(report_fd, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return ERR_OK;
	if (n != (ssize_t)sizeof(f))
		return error_set(reterr, ERR_IO, "cannot start '%s': its start was not reported", name);
	enum err_code code = f.error_number == ENOENT                              ? ERR_NOT_FOUND
	                     : f.error_number == EACCES || f.error_number == EPERM ? ERR_DENIED
	                                                                           : ERR_IO;
	return error_set(reterr, code, "cannot start '%s': cannot %s: %s", name, step_names[f.step],
	                 strerror(f.error_number));
}

static enum err_code fork_child(struct launch *l, int report_ours, struct process *p, struct error *reterr)
{
	sigset_t all, before;
	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, &before) == 0); /* no handler of ours may run in the child */
	p->pid = fork();
	if (p->pid == 0)
		child_main(l);
	int fork_errno = errno;
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (p->pid < 0)
		return error_set(reterr, ERR_IO, "cannot start '%s': %s", l->spec->argv[0], strerror(fork_errno));
	p->pidfd = pidfd_open(p->pid, 0);
	int pidfd_errno = errno;
	close_if_open(&l->report_fd);
	enum err_code err = await_exec(report_ours, l->spec->argv[0], reterr);
	if (err == ERR_OK && p->pidfd < 0) {
		(void)kill(p->pid, SIGKILL); /* our own child, not reaped yet */
		err = error_set(reterr, ERR_IO, "cannot watch '%s': %s", l->spec->argv[0], strerror(pidfd_errno));
	}
	if (err != ERR_OK)
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	return err;
}

enum err_code process_start_with_input(const struct process_spec *spec, int in_fd, struct process **ret_process,
                                       struct error *reterr)
{
	struct fs_path program;
	int report_ours = -1;
	struct process *p = mem_new(1, sizeof(*p));
	*p = (struct process){ .pidfd = -1, .out_fd = -1, .err_fd = -1 };
	struct launch l = {
		.spec = spec, .in_fd = in_fd, .out_fd = -1, .err_fd = -1, .report_fd = -1, .parent = getpid()
	};
	enum err_code err = ERR_OK;
	if (!process_find(spec->argv[0], &program))
		err = error_set(reterr, ERR_NOT_FOUND, "cannot start '%s': there is no such program", spec->argv[0]);
	if (err == ERR_OK)
		err = open_output(spec->stdout_to, spec->stdout_path, &l.out_fd, &p->out_fd, reterr);
	if (err == ERR_OK)
		err = open_output(spec->stderr_to, spec->stderr_path, &l.err_fd, &p->err_fd, reterr);
	if (err == ERR_OK)
		err = make_pipe(&report_ours, &l.report_fd, reterr);
	if (err == ERR_OK) {
		if (spec->oom_score > 0)
			(void)snprintf(l.oom_text, sizeof(l.oom_text), "%u",
			               MIN_OF(spec->oom_score, 1000U)); /* short */
		l.program = program.text;
		l.env = make_env(spec);
		err = fork_child(&l, report_ours, p, reterr);
		mem_free(l.env);
	}
	close_if_open(&report_ours);
	close_if_open(&l.report_fd);
	close_if_open(&l.out_fd);
	close_if_open(&l.err_fd);
	if (err == ERR_OK) {
		*ret_process = p;
		return ERR_OK;
	}
	close_if_open(&p->pidfd);
	close_if_open(&p->out_fd);
	close_if_open(&p->err_fd);
	mem_free(p);
	return err;
}

enum err_code process_start(const struct process_spec *spec, struct process **ret_process, struct error *reterr)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0)
		return error_set(reterr, ERR_IO, "cannot open /dev/null: %s", strerror(errno));
	enum err_code err = process_start_with_input(spec, null_fd, ret_process, reterr);
	(void)close(null_fd); /* read only */
	return err;
}

pid_t process_pid(const struct process *p)
{
	return p->pid;
}

int process_fd(const struct process *p)
{
	return p->pidfd;
}

int process_stdout(const struct process *p)
{
	return p->out_fd;
}

int process_stderr(const struct process *p)
{
	return p->err_fd;
}

bool process_await_fd(int fd, int timeout_ms)
{
	uint64_t deadline_ms = clock_now_ms() + (uint64_t)MAX_OF(timeout_ms, 0);
	for (;;) {
		uint64_t now_ms = clock_now_ms();
		int left_ms = timeout_ms < 0 ? -1 : now_ms >= deadline_ms ? 0 : (int)(deadline_ms - now_ms);
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int n = poll(&poll_fd, 1, left_ms);
		if (n > 0)
			return true;
		if (n == 0 && left_ms == 0)
			return false;
	}
}

enum err_code process_wait(struct process *p, int timeout_ms, struct process_status *ret_status, struct error *reterr)
{
	if (!p->reaped) {
		siginfo_t info = { .si_pid = 0 };
		if (!process_await_fd(p->pidfd, timeout_ms))
			return error_set(reterr, ERR_TIMEOUT, "process %ld still runs after %d ms", (long)p->pid,
			                 timeout_ms);
		(void)kill(-p->pid, SIGKILL); /* not reaped yet, so the number is still its own */
		if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED) != 0)
			return error_set(reterr, ERR_IO, "cannot reap process %ld: %s", (long)p->pid, strerror(errno));
		p->reaped = true;
		p->status.exited = info.si_code == CLD_EXITED;
		p->status.code = p->status.exited ? info.si_status : 0;
		p->status.signal = p->status.exited ? 0 : info.si_status;
	}
	if (ret_status)
		*ret_status = p->status;
	return ERR_OK;
}

void process_kill(struct process *p, int signal_number)
{
	if (!p->reaped)
		(void)kill(-p->pid, signal_number); /* fails only when all have ended */
}

enum err_code process_stop(struct process *p, int grace_ms, struct process_status *ret_status, struct error *reterr)
{
	enum { KILL_MS = 30000 }; /* a process in an uninterruptible call dies when that returns */
	process_kill(p, SIGTERM);
	enum err_code err = process_wait(p, grace_ms, ret_status, reterr);
	if (err != ERR_TIMEOUT)
		return err;
	process_kill(p, SIGKILL);
	return process_wait(p, KILL_MS, ret_status, reterr);
}

void process_forget(struct process *p)
{
	if (!p)
		return;
	close_if_open(&p->pidfd);
	close_if_open(&p->out_fd);
	close_if_open(&p->err_fd);
	mem_free(p);
}

void process_free(struct process *p)
{
	if (p && !p->reaped) {
		enum err_code err = process_stop(p, 0, NULL, NULL);
		(void)err; /* what cannot be reaped is left to init */
	}
	process_forget(p);
}
