/* tests/integration/store/scene.h - what the store's tests need before they can begin: a PostgreSQL with the schema, a
 * suite of ITEMS items (three tasks, two scores), a model, a term; and short forms for records and batches. */
#ifndef ASSAY_TESTS_STORE_SCENE_H
#define ASSAY_TESTS_STORE_SCENE_H

#include "coordinator/store/leader.h"
#include "coordinator/store/models.h"
#include "coordinator/store/rebuild.h"
#include "coordinator/store/results.h"
#include "coordinator/store/runs.h"
#include "coordinator/store/store.h"
#include "coordinator/store/suites.h"
#include "coordinator/store/writer.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/pg_server.h"

enum { ITEMS = 60, RECORDS_MAX = 4096 };

struct scene {
	struct pg_server *server;
	struct store_settings settings;
	uint64_t term;
	struct store *store; /* a writer of that term, also for reading */
	struct arena arena;  /* of one test */
	int64_t suite_version_id;
	int32_t model_id;
	struct outbox_id outbox;
	uint64_t next_record_no, next_seed;
};

/* Group set-up and tear-down of a test program; set-up of one test (empties the arena). */
int scene_begin(void **state);
int scene_end(void **state);
int scene_test(void **state);

void scene_sql(struct scene *s, const char *sql);
int64_t scene_number(struct scene *s, const char *sql); /* of one row and column */
void scene_take_term(struct scene *s);                  /* the next one, for all that comes */
void scene_fill(struct scene *s);                       /* suite and model, through s->store */

uint64_t scene_run(struct scene *s, uint32_t epochs); /* a new one each time */
struct msg_record scene_result(struct scene *s, uint64_t run_id, uint64_t sample_no, uint64_t ask_id, double score);
struct msg_record scene_attempt(struct scene *s, uint64_t run_id, uint64_t sample_no, uint64_t ask_id,
                                enum error_class error_class);
struct msg_record scene_outcome(uint64_t run_id, uint64_t sample_no, enum outcome outcome);
struct msg_record scene_lost(uint64_t run_id, uint64_t sample_no, int64_t at_ms);

/* A batch over records that the caller keeps. */
struct writer_batch scene_batch(struct scene *s, const struct msg_record *records, size_t count,
                                struct writer_done *done);
struct writer *scene_writer(struct scene *s, uint64_t term);
/* Drives the writer until it is idle or over, at most ten seconds; batches and jobs that come back are counted. */
size_t scene_drive(struct writer *w);
/* One batch through a writer of its own. */
void scene_write(struct scene *s, const struct msg_record *records, size_t count, struct writer_done *done);
void scene_job(struct scene *s, struct writer_job *job);

struct run_sum *scene_sum(struct scene *s, uint64_t run_id); /* the whole run's samples */
void scene_recount(struct scene *s, uint64_t run_id);        /* fails the test when the summary is not its rows' */

#endif
