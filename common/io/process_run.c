/* process_run() of process.h: a child's output collected while it runs. */
#include "common/io/clock.h"
#include "common/io/process.h"
#include "common/io/process_private.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool process_ok(struct process_status s)
{
	return s.exited && s.code == 0;
}

void process_status_text(struct process_status s, char out[48])
{
	if (s.exited) {
		(void)snprintf(out, 48, "exit status %d", s.code); /* short */
	} else {
		const char *name = sigabbrev_np(s.signal);
		(void)snprintf(out, 48, "signal %d (%s)", s.signal, name ? name : "?"); /* short */
	}
}

void process_result_done(struct process_result *r)
{
	buf_done(&r->out);
	buf_done(&r->err);
}

/* A file in memory instead of a pipe: nobody has to feed it, and a child that does not read breaks nothing. */
static enum err_code input_file(struct str input, int *ret_fd, struct error *reterr)
{
	int fd = memfd_create("assay-input", MFD_CLOEXEC);
	if (fd < 0)
		return error_set(reterr, ERR_IO, "cannot make an input: %s", strerror(errno));
	enum err_code err = fs_write_all(fd, input, reterr);
	if (err == ERR_OK && lseek(fd, 0, SEEK_SET) != 0)
		err = error_set(reterr, ERR_IO, "cannot make an input: %s", strerror(errno));
	if (err == ERR_OK)
		*ret_fd = fd;
	else
		(void)close(fd); /* memory only */
	return err;
}

/* Reads what is there; false at the end. What does not fit is thrown away, so that the child can go on. */
static bool drain(int fd, struct buf *out, bool *cut)
{
	char piece[16384];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		size_t keep = MIN_OF((size_t)n, out->max - out->len);
		*cut = *cut || keep < (size_t)n;
		if (!buf_append(out, piece, keep))
			*cut = true;
	}
}

/* Collects until the child has ended or the time is over; true: it has ended. */
static bool collect(struct process *p, uint64_t deadline_ms, struct process_result *r)
{
	bool out_open = true, err_open = true;
	for (;;) {
		uint64_t now_ms = clock_now_ms();
		struct pollfd fds[] = { { .fd = process_fd(p), .events = POLLIN },
			                { .fd = out_open ? process_stdout(p) : -1, .events = POLLIN },
			                { .fd = err_open ? process_stderr(p) : -1, .events = POLLIN } };
		int n = poll(fds, ARRAY_LEN(fds),
		             now_ms >= deadline_ms ? 0 : (int)MIN_OF(deadline_ms - now_ms, 3600000U));
		if (n > 0 && fds[1].revents)
			out_open = drain(process_stdout(p), &r->out, &r->cut);
		if (n > 0 && fds[2].revents)
			err_open = drain(process_stderr(p), &r->err, &r->cut);
		if (n > 0 && fds[0].revents)
			return true;
		if (now_ms >= deadline_ms)
			return false;
	}
}

enum err_code process_run(const struct process_spec *spec, struct str input, int timeout_ms, size_t output_bytes_max,
                          struct process_result *ret_result, struct error *reterr)
{
	struct process_spec piped = *spec;
	piped.stdout_to = piped.stderr_to = PROCESS_OUTPUT_PIPE;
	int in_fd = -1;
	struct process *p = NULL;
	enum err_code err = input_file(input, &in_fd, reterr);
	if (err != ERR_OK)
		return err;
	err = process_start_with_input(&piped, in_fd, &p, reterr);
	(void)close(in_fd); /* memory only */
	if (err != ERR_OK)
		return err;
	struct process_result r = { .cut = false };
	buf_init(&r.out, output_bytes_max);
	buf_init(&r.err, output_bytes_max);
	uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : clock_now_ms() + (uint64_t)timeout_ms;
	bool ended = collect(p, deadline_ms, &r);
	err = ended ? process_wait(p, 0, &r.status, reterr) : process_stop(p, 0, &r.status, reterr);
	if (err == ERR_OK) { /* the whole group is dead: what is in the pipes is all that will be */
		(void)drain(process_stdout(p), &r.out, &r.cut);
		(void)drain(process_stderr(p), &r.err, &r.cut);
		*ret_result = r;
		if (!ended)
			err = error_set(reterr, ERR_TIMEOUT, "'%s' ran longer than %d ms and was killed", spec->argv[0],
			                timeout_ms);
	} else {
		process_result_done(&r);
	}
	process_free(p);
	return err;
}
