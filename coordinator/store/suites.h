/* coordinator/store/suites.h - suites and their immutable versions.
 *
 * A version is named by the hash of its definition and items; pushing it twice is a no-op that answers with the one
 * that is there. A push is all or nothing without a long transaction: suites_begin() makes a version that nobody sees,
 * suites_add() fills it by chunks (items are shared by hash between versions), suites_finish() counts and shows it.
 * One that was begun and never finished is continued by the next push of the same hash. */
#ifndef ASSAY_STORE_SUITES_H
#define ASSAY_STORE_SUITES_H

#include "common/base/hash.h"
#include "coordinator/store/store.h"

enum { SUITES_SLICES_MAX = 4096, SUITES_CHUNK_ITEMS = 2000, SUITES_METRICS_MAX = 32 };

struct suites_item {
	struct str id;                                        /* its name inside the suite; unique */
	struct hash hash;                                     /* of `content` */
	struct str content;                                   /* canonical JSON */
	struct str task, stratum, cluster, split, provenance; /* empty: none */
	double weight;                                        /* 1 unless given; finite, at least 0 */
};

struct suites_push {
	int32_t team_id;
	struct str name, task;
	struct hash hash;          /* of the whole version */
	struct str definition;     /* canonical JSON of suite.yaml */
	const struct str *metrics; /* names, primary first */
	size_t metric_count;
	size_t item_count;
	struct str pushed_by;
};

struct suites_pushed {
	int64_t suite_version_id;
	int32_t version; /* 1, 2, 3 ... of its suite; 0 until finished */
	bool existed;    /* finished by an earlier push: add and finish are not needed */
};

enum err_code suites_begin(struct store *s, const struct suites_push *push, struct suites_pushed *ret_pushed,
                           struct error *reterr) MUST_CHECK;
/* `first_no` is the item_no of items[0]. Any order of chunks; a chunk may come twice. At most SUITES_CHUNK_ITEMS. All
 * of the team that store_use_team() named. ERR_INVALID: two items share an id, or a weight is none (named). */
enum err_code suites_add(struct store *s, int64_t suite_version_id, uint32_t first_no, const struct suites_item *items,
                         size_t count, struct error *reterr) MUST_CHECK;
/* ERR_INVALID: items are missing. */
enum err_code suites_finish(struct store *s, int64_t suite_version_id, struct suites_pushed *ret_pushed,
                            struct error *reterr) MUST_CHECK;
/* The three in one go, for items that are in memory. */
enum err_code suites_push(struct store *s, const struct suites_push *push, const struct suites_item *items,
                          struct suites_pushed *ret_pushed, struct error *reterr) MUST_CHECK;

struct suite_row { /* a finished version with its suite */
	int64_t suite_id, suite_version_id;
	int32_t team_id, version;
	struct str name, task, pushed_by;
	struct hash hash;
	uint32_t item_count;
	struct str definition; /* suites_find() only; lists leave it empty */
	struct str *metrics;
	size_t metric_count;
	struct str *slices; /* "" is the whole suite, then "task=..", "stratum=.." */
	size_t slice_count;
	int64_t pushed_at_ms;
	int32_t version_count; /* of the suite */
};

/* By "name", "name@3", or a hash prefix of at least 8 hex digits; the newest version of a bare name. *ret_suite NULL:
 * none; ERR_CONFLICT: the prefix fits several. */
enum err_code suites_find(struct store *s, struct str spec, struct arena *arena, struct suite_row **ret_suite,
                          struct error *reterr) MUST_CHECK;
enum err_code suites_by_id(struct store *s, int64_t suite_version_id, struct arena *arena, struct suite_row **ret_suite,
                           struct error *reterr) MUST_CHECK;
/* Newest version of each suite, by name; after_name "" starts. */
enum err_code suites_list(struct store *s, struct str after_name, size_t limit, struct arena *arena,
                          struct suite_row **ret_suites, size_t *ret_count, struct error *reterr) MUST_CHECK;
/* All versions of one suite, newest first. */
enum err_code suites_versions(struct store *s, struct str name, size_t limit, struct arena *arena,
                              struct suite_row **ret_suites, size_t *ret_count, struct error *reterr) MUST_CHECK;
struct suites_part { /* how many items are in a slice or of a provenance */
	struct str name;
	uint64_t items;
};
/* Of one version: its slices in their order (without "", the whole), and its provenances, most items first. Reads the
 * heads of all its items. */
enum err_code suites_parts(struct store *s, const struct suite_row *suite, struct arena *arena,
                           struct suites_part **ret_slices, size_t *ret_slice_count,
                           struct suites_part **ret_provenances, size_t *ret_provenance_count,
                           struct error *reterr) MUST_CHECK;
/* Names, for "did you mean". */
enum err_code suites_names(struct store *s, struct arena *arena, struct str **ret_names, size_t *ret_count,
                           struct error *reterr) MUST_CHECK;

#endif
