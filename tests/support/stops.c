#include "tests/support/stops.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_child(void (*call)(void *argument), void *argument, int to_parent)
{
	struct rlimit no_core = { 0, 0 };
	(void)setrlimit(RLIMIT_CORE, &no_core); /* a core file more is the worst case */
	(void)dup2(to_parent, STDERR_FILENO);
	call(argument);
	_exit(0);
}

bool stops(void (*call)(void *argument), void *argument)
{
	int ends[2], status = 0;
	char text[64] = "";
	size_t len = 0;
	if (pipe(ends) != 0)
		return false;
	pid_t child = fork();
	if (child == 0)
		run_child(call, argument, ends[1]);
	(void)close(ends[1]);
	while (child > 0 && len < sizeof(text) - 1) {
		ssize_t got = read(ends[0], text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	(void)close(ends[0]);
	bool ended = child > 0 && waitpid(child, &status, 0) == child;
	return ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strncmp(text, "bug: ", 5) == 0;
}
