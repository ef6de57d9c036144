/* build/tests/simulate - worlds by seed. See README.md of this folder.
 *
 *   simulate --seed N [--trace]      one world; with --trace everything that happens in it
 *   simulate --seeds A..B [--jobs N] many; prints seeds a second and the first that fails
 *   --samples N   instead of what the seed draws     --mutant NAME  with a fault of our own in the world's glue
 *   --hash        prints the trace hash of each seed
 *   --twice       each seed once more: its trace must be the same */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, FAILURES_MAX = 5 };

struct options {
	uint64_t from, to, samples;
	uint32_t jobs;
	bool trace, hash, twice;
	const char *mutant;
};

/* Of this processor's time: what else runs here is of no account. */
static double seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* it cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t hash_of_seed(struct world *w, uint64_t seed, const struct options *o)
{
	memset(&w->plan, 0, sizeof(w->plan));
	w->plan.sample_count = o->samples;
	world_begin(w, seed, o->mutant, false);
	(void)world_run(w); /* what it found is told by the other run */
	uint64_t hash = w->hash;
	world_end(w);
	return hash;
}

static bool run_one(struct world *w, uint64_t seed, const struct options *o, struct tally *sum)
{
	uint64_t first = o->twice ? hash_of_seed(w, seed, o) : 0;
	memset(&w->plan, 0, sizeof(w->plan));
	w->plan.sample_count = o->samples;
	world_begin(w, seed, o->mutant, o->trace);
	bool fine = world_run(w);
	if (!fine)
		(void)printf("seed %llu fails at %llu ms, step %llu: %s: %s\n  again: build/tests/simulate --seed %llu "
		             "--trace%s%s\n",
		             (unsigned long long)seed, (unsigned long long)w->now_ms, (unsigned long long)w->steps,
		             w->oracle.broken, w->oracle.text, (unsigned long long)seed, o->mutant ? " --mutant " : "",
		             o->mutant ? o->mutant : "");
	if (o->hash || o->trace)
		(void)printf("seed %llu hash %016llx\n", (unsigned long long)seed, (unsigned long long)w->hash);
	if (o->twice && first != w->hash) {
		(void)printf("seed %llu does not replay: %016llx, then %016llx\n", (unsigned long long)seed,
		             (unsigned long long)first, (unsigned long long)w->hash);
		fine = false;
	}
	const uint64_t *from = (const uint64_t *)&w->tally;
	uint64_t *to = (uint64_t *)sum;
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
	world_end(w);
	return fine;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static uint64_t run_share(const struct options *o, uint32_t job, struct tally *sum)
{
	struct world *w = mem_new(1, sizeof(*w));
	uint64_t failed = 0, count = (o->to - o->from) / o->jobs + 1;
	double *each = mem_new(count, sizeof(*each));
	count = 0;
	for (uint64_t seed = o->from + job; seed <= o->to && failed < FAILURES_MAX; seed += o->jobs) {
		double began = seconds();
		failed += !run_one(w, seed, o, sum);
		each[count++] = seconds() - began;
	}
	qsort(each, count, sizeof(*each), compare);
	if (job == 0 && count > 2)
		(void)printf("median seed: %.1f ms, %.0f a second\n", each[count / 2] * 1000, 1 / each[count / 2]);
	mem_free(each);
	mem_free(w);
	(void)fflush(stdout); /* whoever reads it sees what came */
	return failed;
}

struct said { /* of one job */
	struct tally sum;
	uint64_t failed;
	double took;
};

static uint64_t run_jobs(const struct options *o, struct tally *sum, double *ret_took)
{
	pid_t children[JOBS_MAX];
	int pipes[JOBS_MAX][2];
	uint64_t failed = 0;
	if (o->jobs == 1) {
		double began = seconds();
		failed = run_share(o, 0, sum);
		*ret_took = seconds() - began;
		return failed;
	}
	for (uint32_t i = 0; i < o->jobs; i++) {
		check(pipe(pipes[i]) == 0);
		(void)fflush(stdout); /* or the child prints it again */
		children[i] = fork();
		check(children[i] >= 0);
		if (children[i] > 0)
			continue;
		struct said said = { 0 };
		double began = seconds();
		said.failed = run_share(o, i, &said.sum);
		said.took = seconds() - began;
		check(write(pipes[i][1], &said, sizeof(said)) == (ssize_t)sizeof(said));
		_exit(0);
	}
	for (uint32_t i = 0; i < o->jobs; i++) {
		struct said said = { 0 };
		int status;
		(void)close(pipes[i][1]); /* the child has its own */
		if (read(pipes[i][0], &said, sizeof(said)) != (ssize_t)sizeof(said))
			said.failed = 1;                /* it crashed, and has said so */
		(void)close(pipes[i][0]);               /* nothing more comes */
		(void)waitpid(children[i], &status, 0); /* it is ours */
		failed += said.failed;
		*ret_took += said.took;
		const uint64_t *from = (const uint64_t *)&said.sum;
		uint64_t *to = (uint64_t *)sum;
		for (size_t k = 0; k < sizeof(*sum) / sizeof(*to); k++)
			to[k] += from[k];
	}
	return failed;
}

static bool number(const char *text, uint64_t *ret_value)
{
	return text && str_to_u64(str_from(text), ret_value);
}

static bool range(const char *text, uint64_t *ret_from, uint64_t *ret_to)
{
	const char *dots = text ? strstr(text, "..") : NULL;
	return dots && str_to_u64(str_make(text, (size_t)(dots - text)), ret_from) && number(dots + 2, ret_to);
}

static bool parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){ .from = 1, .to = 100, .jobs = 1 };
	for (int i = 1; i < argc; i++) {
		uint64_t value = 0;
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--trace") == 0) {
			o->trace = true;
		} else if (strcmp(argv[i], "--twice") == 0) {
			o->twice = true;
		} else if (strcmp(argv[i], "--hash") == 0) {
			o->hash = true;
		} else if (strcmp(argv[i], "--seed") == 0 && number(next, &value)) {
			o->from = o->to = value;
			i++;
		} else if (strcmp(argv[i], "--seeds") == 0 && range(next, &o->from, &o->to)) {
			i++;
		} else if (strcmp(argv[i], "--samples") == 0 && number(next, &o->samples)) {
			i++;
		} else if (strcmp(argv[i], "--jobs") == 0 && number(next, &value) && value > 0 && value <= JOBS_MAX) {
			o->jobs = (uint32_t)value;
			i++;
		} else if (strcmp(argv[i], "--mutant") == 0 && next) {
			o->mutant = next;
			i++;
		} else {
			(void)fprintf(stderr, "simulate: '%s' is not understood; see tests/simulation/README.md\n",
			              argv[i]);
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options o;
	struct tally sum = { 0 };
	if (!parse(argc, argv, &o))
		return 2;
	double took = 0;
	uint64_t failed = run_jobs(&o, &sum, &took), seeds = o.to - o.from + 1;
	(void)printf("%llu seeds in %.1f s of one processor: %.0f seeds/s, %.2f us a sample; %llu samples, %llu asks, "
	             "%llu leases, %llu "
	             "rows told, %llu deaths, %llu terms, %llu paid twice, %llu frames, %llu steps, %llu s simulated; "
	             "%llu failed\n",
	             (unsigned long long)seeds, took, (double)seeds / took,
	             took * 1e6 / (double)(sum.samples ? sum.samples : 1), (unsigned long long)sum.samples,
	             (unsigned long long)sum.asks, (unsigned long long)sum.leases, (unsigned long long)sum.commits,
	             (unsigned long long)sum.kills, (unsigned long long)sum.takeovers,
	             (unsigned long long)sum.paid_twice, (unsigned long long)sum.frames, (unsigned long long)sum.steps,
	             (unsigned long long)(sum.virtual_ms / 1000), (unsigned long long)failed);
	return failed ? 1 : 0;
}
