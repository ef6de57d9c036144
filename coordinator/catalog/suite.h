/* coordinator/catalog/suite.h - a suite as people write it (suite.yaml and JSONL) becomes a version that cannot change.
 *
 * Everything is checked before anything is handed out: unknown keys (with the nearest known one), types, names of
 * templates in every item, targets, choices, ids. Errors are texts for people with file:line:column (YAML) or
 * file:line and field (JSONL); ERR_INVALID and ERR_LIMIT both say "the file is wrong" (exit status 2).
 *
 * The definition is the canonical JSON of what suite.yaml says, without the names of its item files and with the
 * defaults that shape a score written out. A version's hash is over the definition and, in order, each item's id, hash,
 * weight, split and source: equal hash, equal suite, wherever its files lie.
 *
 * Pure: files come in through suite_source. A suite owns everything that it shows; free it with suite_free(). */
#ifndef ASSAY_CATALOG_SUITE_H
#define ASSAY_CATALOG_SUITE_H

#include "coordinator/catalog/suite_item.h"

enum {
	SUITE_NAME_BYTES_MAX = 100,
	SUITE_SCORES_MAX = 32,
	SUITE_GATES_MAX = 64,
	SUITE_FILES_MAX = 1000,
	SUITE_EPOCHS_MAX = 1000,
	SUITE_SLICES_MAX = 4000, /* different tasks and strata together */
	SUITE_ITEMS_MAX = 100 * 1000 * 1000,
};

/* Takes one chunk of a file; an error ends the reading and must be handed on. */
typedef enum err_code suite_sink(void *sink_arg, struct str chunk, struct error *reterr);

struct suite_source { /* how the files that a suite names are read: from disk by the CLI, from a bundle by the API */
	/* Calls sink with the content, in chunks of any size. ERR_NOT_FOUND (or ERR_DENIED) and a text: the suite's
	 * mistake; anything else is handed through as it is. */
	enum err_code (*read)(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr);
	void *arg;
	uint64_t items_max; /* 0: SUITE_ITEMS_MAX */
};

struct suite_gate {                        /* as gate.h of evidence takes it */
	struct str name, metric, rule, by; /* metric is never empty; by empty: the whole suite */
	double margin, threshold, alpha, missing_share;
};

struct suite {
	struct str name, task,
		provenance;    /* provenance: production representative synthetic external; empty: not said */
	struct str definition; /* canonical JSON: schema name task generate scores gates holdout ... */
	struct hash hash;
	uint32_t epochs;
	struct str *metrics; /* names of the scorers, primary first */
	size_t metric_count;
	struct suite_gate *gates;
	size_t gate_count;
	bool has_holdout;
	uint32_t holdout_releases;
	struct suite_item *items; /* in the order of the files, holdout last */
	size_t item_count, holdout_count;
	struct arena arena;
};

/* `name` is the suite file's own, for errors. */
enum err_code suite_read(struct str yaml, const char *name, const struct suite_source *source, struct suite **ret_suite,
                         struct error *reterr) MUST_CHECK;
void suite_free(struct suite *s); /* accepts NULL */

/* The files that suite.yaml names, in order (items, then holdout), for whoever must bring them along. Checks no more
 * than it needs. Names live in the arena. */
enum err_code suite_files(struct str yaml, const char *name, struct arena *a, struct str **ret_names, size_t *ret_count,
                          struct error *reterr) MUST_CHECK;

/* What a lease carries of a run: {"generate", "model", "scores", "suite_items"}, canonical. `definition` and `model`
 * are the stored canonical JSON of the two. */
enum err_code suite_context(struct str definition, struct str model, uint64_t suite_items, struct buf *out,
                            struct error *reterr) MUST_CHECK;

#endif
