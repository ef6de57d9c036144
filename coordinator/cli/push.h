/* coordinator/cli/push.h - a suite from disk: checked here, then sent whole. */
#ifndef ASSAY_CLI_PUSH_H
#define ASSAY_CLI_PUSH_H

#include "coordinator/catalog/suite.h"
#include "coordinator/cli/api.h"

enum { PUSH_NAME_BYTES = 160 };

/* Reads and checks suite.yaml and every file that it names, relative to its folder. */
enum err_code push_read(const char *path, struct suite **ret_suite, struct error *reterr) MUST_CHECK;

/* A file that the command line named: whatever keeps it from being read is ERR_INVALID. `out` is ready for use. */
enum err_code push_read_file(const char *path, struct buf *out, struct error *reterr) MUST_CHECK;

/* Checks, sends, and gives "name@version". `ret_answer` may be NULL; else it is the caller's. */
enum err_code push_suite(struct api *a, const char *path, char ret_name[PUSH_NAME_BYTES], struct api_answer *ret_answer,
                         struct error *reterr) MUST_CHECK;

#endif
