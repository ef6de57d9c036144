/* worker/exec/exec_run.h - a run context compiled: model, prompt templates, parameters, scorers.
 *
 * Compiled once a run and thread, then only read. A context that does not compile is kept too, with its reason, so
 * that each of its samples ends with that text and it is not compiled a thousand times. exec_runs is the small cache
 * of one thread: least recently used goes first, but never one that a sample still uses. Pure; one thread (scoring may
 * read a run in another thread while a sample of it stands still). */
#ifndef ASSAY_EXEC_RUN_H
#define ASSAY_EXEC_RUN_H

#include "worker/exec/exec_context.h"
#include "worker/provider/provider.h"
#include "worker/score/score.h"

enum { EXEC_RUNS_KEPT = 32 };

struct exec_key { /* which sample, in which try */
	uint64_t run_id, sample_no;
	uint32_t retry_no, scoring_no;
};

/* What stands between the life of a sample and text: how its request is made, a reply read, an answer scored. NULL in a
 * run: as its context says. The simulator brings its own, since text costs more than all the rest of a sample's life.
 */
struct exec_content {
	enum err_code (*build)(const struct exec_key *key, struct buf *url, struct buf *headers, struct buf *body,
	                       struct error *reterr);
	void (*read)(const struct exec_key *key, const struct provider_reply *reply,
	             struct provider_answer *ret_answer);
	void (*score)(const struct exec_key *key, struct str answer, struct score *ret_score);
};

struct exec_run {
	struct exec_context *context; /* own reference; all texts below may point into it or into `arena` */
	struct json_doc *doc;
	struct arena arena;
	struct error broken; /* code ERR_OK: usable; else why not, and nothing below is set */
	struct provider_model model;
	struct provider_params params; /* the suite's */
	const struct json *generate;
	struct score_set *scores;
	uint64_t suite_items;               /* sample_no = epoch * suite_items + item_no */
	const struct exec_content *content; /* borrowed; NULL but in the simulator */
	uint32_t ask_timeout_ms;            /* one ask at most; the time that the sample has left bounds it too */
	uint32_t users;                     /* samples that point here */
	uint64_t used_at;
	struct exec_run *next;
};

struct exec_runs {
	struct exec_run *first;
	size_t count;
	uint64_t clock;
};

void exec_runs_init(struct exec_runs *runs);
void exec_runs_done(struct exec_runs *runs); /* nothing may be in use */

/* The run of this context, compiled now if it is not there; never NULL. Give it back with exec_runs_put(). */
struct exec_run *exec_runs_get(struct exec_runs *runs, struct exec_context *context);
void exec_runs_put(struct exec_runs *runs, struct exec_run *run);

#endif
