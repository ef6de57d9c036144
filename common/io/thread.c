#include "common/io/thread.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <pthread.h>
#include <signal.h>

struct thread {
	pthread_t handle;
	char name[16]; /* the kernel's limit, NUL included */
	thread_main run;
	void *arg;
};

static _Thread_local const char *own_name = "main";

const char *thread_name(void)
{
	return own_name;
}

void thread_name_set(const char *name)
{
	own_name = name;
}

static void *run_thread(void *arg)
{
	struct thread *t = arg;
	own_name = t->name;
	(void)pthread_setname_np(pthread_self(), t->name); /* only for people who look */
	t->run(t->arg);
	return NULL;
}

enum err_code thread_start(struct thread **ret_thread, const char *name, thread_main run, void *arg,
                           struct error *reterr)
{
	struct thread *t = mem_new(1, sizeof(*t));
	(void)snprintf(t->name, sizeof(t->name), "%s", name); /* cut on purpose */
	t->run = run;
	t->arg = arg;
	sigset_t all, before;
	sigfillset(&all);
	check(pthread_sigmask(SIG_SETMASK, &all, &before) == 0); /* a new thread inherits its maker's mask */
	int rc = pthread_create(&t->handle, NULL, run_thread, t);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (rc != 0) {
		mem_free(t);
		return error_set(reterr, ERR_IO, "cannot start thread %s: %s", name, strerror(rc));
	}
	*ret_thread = t;
	return ERR_OK;
}

void thread_join(struct thread *t)
{
	if (!t)
		return;
	check(pthread_join(t->handle, NULL) == 0);
	mem_free(t);
}
