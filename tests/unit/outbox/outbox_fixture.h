/* tests/unit/outbox/outbox_fixture.h - records to write, a folder to write them to. */
#ifndef ASSAY_TESTS_OUTBOX_FIXTURE_H
#define ASSAY_TESTS_OUTBOX_FIXTURE_H

#include "common/io/fs.h"
#include "tests/support/cmocka_all.h"
#include "worker/outbox/outbox.h"

struct record *a_result(uint64_t ask_id, const char *response);
struct record *an_attempt(uint64_t ask_id);
struct record *an_answer(uint64_t ask_id, const char *response); /* with a run context and an item */

/* A fresh folder below /tmp, removed by folder_teardown(). */
int folder_setup(void **state); /* *state is a const char * */
int folder_teardown(void **state);

/* Opens, with the test's failure when it cannot. */
struct outbox *open_outbox(const char *dir);
void append(struct outbox *o, struct record *const *records, size_t count); /* and sync */
void free_records(struct record *const *records, size_t count);

#endif
