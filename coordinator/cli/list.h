/* coordinator/cli/list.h - a list of the API, page by page: rows for a person, one JSON document, or a line a row.
 *
 * Rows go out as their page comes; only one page is in memory. One thread. */
#ifndef ASSAY_CLI_LIST_H
#define ASSAY_CLI_LIST_H

#include "coordinator/cli/api.h"

struct list {
	const char *path; /* with its query, which has a limit: "/api/v1/suites?limit=500" */
	const char *schema;
	size_t most;                                                 /* rows in all; 0: every one */
	bool (*wanted)(const struct cli *c, const struct json *row); /* NULL: all are */
	void (*print)(const struct cli *c, const struct json *row, bool first);
};

/* As --json or --jsonl ask, else by print(). *ret_count: rows that went out. An error may come after some of them. */
enum err_code list_show(struct cli *c, struct api *a, const struct list *list, size_t *ret_count,
                        struct error *reterr) MUST_CHECK;

#endif
