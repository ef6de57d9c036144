/* coordinator/store/embedded.h - the SQL files of this folder as they were when the program was built (embed.cmake). */
#ifndef ASSAY_STORE_EMBEDDED_H
#define ASSAY_STORE_EMBEDDED_H

#include "common/base/str.h"

struct embedded_file {
	const char *name; /* without folder and ending: "0001_schema" */
	struct str text;  /* ends with a NUL that is not counted */
};

/* Both end with an entry whose name is NULL; in the order of their names. */
extern const struct embedded_file embedded_migrations[];
extern const struct embedded_file embedded_statements[];

#endif
