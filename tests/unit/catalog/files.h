/* tests/unit/catalog/files.h - files in memory as a suite_source, handed over in chunks of any size. */
#ifndef ASSAY_TESTS_CATALOG_FILES_H
#define ASSAY_TESTS_CATALOG_FILES_H

#include "coordinator/catalog/suite.h"

struct file {
	const char *name;
	struct str text;
};

struct files {
	const struct file *list;
	size_t count;
	size_t chunk_bytes; /* 0: whole */
	size_t reads;
};

static inline enum err_code files_read(void *arg, struct str name, suite_sink *sink, void *sink_arg,
                                       struct error *reterr)
{
	struct files *f = arg;
	f->reads++;
	for (size_t i = 0; i < f->count; i++) {
		struct str rest = f->list[i].text;
		size_t step = f->chunk_bytes ? f->chunk_bytes : rest.len;
		if (!str_eq_c(name, f->list[i].name))
			continue;
		while (rest.len > 0) {
			enum err_code err = sink(sink_arg, str_slice(rest, 0, step), reterr);
			if (err)
				return err;
			rest = str_slice(rest, step, rest.len);
		}
		return ERR_OK;
	}
	return error_set(reterr, ERR_NOT_FOUND, "no such file");
}

#endif
