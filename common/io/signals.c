#include "common/io/signals.h"
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum err_code signals_fd(const int *signals, size_t count, int *ret_fd, struct error *reterr)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		if (sigaddset(&set, signals[i]) != 0)
			return error_set(reterr, ERR_INVALID, "signal %d does not exist", signals[i]);
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return error_set(reterr, ERR_IO, "cannot ignore SIGPIPE: %s", strerror(errno));
	int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (rc != 0)
		return error_set(reterr, ERR_IO, "cannot block signals: %s", strerror(rc));
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return error_set(reterr, ERR_IO, "cannot make a signal descriptor: %s", strerror(errno));
	*ret_fd = fd;
	return ERR_OK;
}

bool signals_next(int fd, int *ret_signal, pid_t *ret_sender)
{
	struct signalfd_siginfo info;
	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return false;
	*ret_signal = (int)info.ssi_signo;
	if (ret_sender)
		*ret_sender = (pid_t)info.ssi_pid;
	return true;
}

void signals_close(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* nothing was written to it */
}
