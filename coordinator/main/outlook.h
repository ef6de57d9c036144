/* coordinator/main/outlook.h - what main knows of leadership and the database, for the threads of the API.
 *
 * Main publishes, any thread reads. An outlook never changes once it was published: a new one takes its place, and the
 * old ones are kept, since nobody says when he has read enough. The same words are kept once, so that a database which
 * comes and goes for days costs nothing; after OUTLOOKS_MAX different ones the text is a general one. */
#ifndef ASSAY_MAIN_OUTLOOK_H
#define ASSAY_MAIN_OUTLOOK_H

#include <stdbool.h>
#include <stdint.h>

enum { OUTLOOKS_MAX = 1000 };

struct outlook {
	bool database;        /* it answered lately */
	uint64_t term;        /* in force, as last read; 0: not known */
	char leader_url[256]; /* of the leader when it is another one; empty: not known */
	char text[300];       /* what is wrong; empty: nothing */
	struct outlook *next;
};

struct outlook_board {
	struct outlook *_Atomic now;
	struct outlook *all; /* main's */
	unsigned count;
};

void outlook_init(struct outlook_board *b); /* an empty one: no database yet */
void outlook_done(struct outlook_board *b); /* when no other thread can read any more; of zeroes: nothing to do */
void outlook_show(struct outlook_board *b, const struct outlook *o); /* main's thread; copied */
const struct outlook *outlook_get(const struct outlook_board *b);    /* any thread; good until outlook_done() */

#endif
