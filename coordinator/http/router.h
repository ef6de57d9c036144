/* coordinator/http/router.h - which handler a request belongs to. Pure.
 *
 * A pattern is "/api/v1/runs/{id}/cancel": a segment in braces takes any one non-empty segment. */
#ifndef ASSAY_HTTP_ROUTER_H
#define ASSAY_HTTP_ROUTER_H

#include "common/base/str.h"

enum { ROUTER_PARAMS_MAX = 4 };

struct router_match {
	struct str params[ROUTER_PARAMS_MAX]; /* in the order of the braces */
	size_t count;
};

bool router_matches(const char *pattern, struct str path, struct router_match *ret_match);

/* A whole number in a path; false unless it is one. */
bool router_id(struct str text, uint64_t *ret_id);

#endif
