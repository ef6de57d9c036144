/* tests/fuzz/played.h - the API without a socket and without a database.
 *
 * Two edges are replaced at link time: played_pg.c stands for coordinator/store/pg.c and answers every question with
 * what the fuzzer says (rows, values, failures, in the order in which they are read; once its bytes are used up every
 * answer is empty); played_http.c stands for coordinator/http/server.c and hands requests over. Everything between,
 * routes, aggregates, reports, is what is shipped. One thread. */
#ifndef ASSAY_TESTS_FUZZ_PLAYED_H
#define ASSAY_TESTS_FUZZ_PLAYED_H

#include "common/base/arena.h"
#include "common/base/buf.h"

/* What the database will say; borrowed until the next call. */
void played_database(struct str bytes);
bool played_database_is_dry(void);

enum { PLAYED_HEADERS_MAX = 16 };

struct played_request {
	struct str method, target; /* target: path and query as they stand in a request line */
	struct str headers;        /* "Name: value" lines */
	struct str body;
	bool leading, control_fails;
};

struct played_reply {
	int status;
	struct str type;
	struct buf body; /* the caller's to free */
};

#define PLAYED_TOKEN "assay_played"

void played_ask(const struct played_request *request, struct played_reply *ret_reply);

/* What is true of every answer: a known status; JSON where it says JSON; a problem that repeats its status and has a
 * code; nothing below /api without the token. With PLAYED_SHOW in the environment it prints the answer. */
void played_check(const struct played_request *request, const struct played_reply *reply);

#endif
