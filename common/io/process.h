/* common/io/process.h - child processes by argument list (never a shell), each the head of its own process group.
 *
 * A child starts with default signal handling, no descriptors but 0, 1, 2 and those named, and /dev/null as input.
 * When the child has ended, what is left of its group is killed before it is reaped, so nothing that it started stays
 * behind under its group. `struct process` belongs to one thread at a time. */
#ifndef ASSAY_IO_PROCESS_H
#define ASSAY_IO_PROCESS_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/fs.h"
#include <sys/types.h>

enum process_output {
	PROCESS_OUTPUT_NULL,    /* /dev/null */
	PROCESS_OUTPUT_INHERIT, /* ours */
	PROCESS_OUTPUT_FILE,    /* appended to a file, made with mode 0600 */
	PROCESS_OUTPUT_PIPE,    /* read from process_stdout() or process_stderr() */
	PROCESS_OUTPUT_STDOUT,  /* stderr only: where stdout goes */
};

struct process_spec {                /* all borrowed until process_start() returns; zero is a usable default */
	const char *const *argv;     /* NULL-terminated; argv[0] without a slash is searched in PATH */
	const char *cwd;             /* NULL: ours */
	bool env_clear;              /* start from nothing instead of our environment */
	const char *const *env_set;  /* "NAME=value", NULL-terminated; may be NULL */
	const char *const *env_drop; /* names, NULL-terminated; may be NULL */
	enum process_output stdout_to, stderr_to;
	const char *stdout_path, *stderr_path; /* PROCESS_OUTPUT_FILE */
	const int *keep_fds;                   /* descriptors that the child keeps under their numbers */
	size_t keep_fd_count;
	bool drop_user; /* setgroups, setgid, setuid to the next two; needs root */
	uid_t uid;
	gid_t gid;
	bool new_session;        /* setsid: lives on without our terminal */
	bool die_with_parent;    /* SIGKILL when the *thread* that started it ends */
	uint64_t data_bytes_max; /* of writable private memory, for each process of it (RLIMIT_DATA); 0: as ours */
	uint32_t
		oom_score; /* up to 1000: when the machine is out of memory, taken before those with less; 0: as ours */
};

struct process_status {
	bool exited; /* else ended by `signal` */
	int code, signal;
};

struct process;

/* Errors name the program and the step. On success the child runs the program: a failed exec is an error here. */
enum err_code process_start(const struct process_spec *spec, struct process **ret_process,
                            struct error *reterr) MUST_CHECK;
pid_t process_pid(const struct process *p);
int process_fd(const struct process *p);     /* pidfd: readable once it has ended */
int process_stdout(const struct process *p); /* -1 unless piped; non-blocking */
int process_stderr(const struct process *p);

/* ERR_TIMEOUT while it runs on; timeout 0 only looks, -1 has no limit. Reaps; may be called again afterwards. */
enum err_code process_wait(struct process *p, int timeout_ms, struct process_status *ret_status,
                           struct error *reterr) MUST_CHECK;
void process_kill(struct process *p, int signal); /* the whole group; nothing once it was reaped */
/* SIGTERM to the group, after grace_ms SIGKILL; waits and reaps. *ret_status may be NULL. */
enum err_code process_stop(struct process *p, int grace_ms, struct process_status *ret_status,
                           struct error *reterr) MUST_CHECK;
void process_free(struct process *p);   /* accepts NULL; kills and reaps what still runs */
void process_forget(struct process *p); /* frees and lets it run on */

/* Runs to the end with output kept, at most output_bytes_max each; more is read and thrown away (`cut`). ERR_TIMEOUT:
 * the group was killed. A program that ran and failed is ERR_OK: see status. The result is the caller's in every case
 * that is not another error; call process_result_done(). spec's outputs are ignored. */
struct process_result {
	struct process_status status;
	struct buf out, err;
	bool cut;
};
enum err_code process_run(const struct process_spec *spec, struct str input, int timeout_ms, size_t output_bytes_max,
                          struct process_result *ret_result, struct error *reterr) MUST_CHECK;
void process_result_done(struct process_result *r);
bool process_ok(struct process_status s);                        /* exited with 0 */
void process_status_text(struct process_status s, char out[48]); /* "exit status 3", "signal 9 (KILL)" */

/* Exactly that process, also after its number was given to another one or the machine was started again. */
struct process_id {
	pid_t pid;
	uint64_t start_ticks; /* /proc/PID/stat, field 22 */
	char boot[40];        /* boot id of the kernel */
};
enum { PROCESS_ID_TEXT_BYTES = 80 };
enum err_code process_id_of(pid_t pid, struct process_id *ret_id,
                            struct error *reterr) MUST_CHECK; /* ERR_NOT_FOUND: none */
bool process_id_alive(const struct process_id *id);           /* a zombie is not alive */
/* ERR_NOT_FOUND when it is gone. `group` takes the whole group that it heads. */
enum err_code process_id_kill(const struct process_id *id, int signal, bool group, struct error *reterr) MUST_CHECK;
enum err_code process_id_wait(const struct process_id *id, int timeout_ms,
                              struct error *reterr) MUST_CHECK;                     /* ERR_TIMEOUT */
void process_id_text(const struct process_id *id, char out[PROCESS_ID_TEXT_BYTES]); /* "PID START BOOT" */
bool process_id_from_text(struct str text, struct process_id *ret_id);

bool process_find(const char *program, struct fs_path *ret_path); /* as PATH finds it */
bool process_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);

#endif
