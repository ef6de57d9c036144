/* coordinator/cli/withheld.h - documents without what a model or a provider wrote, for --json without --content. */
#ifndef ASSAY_CLI_WITHHELD_H
#define ASSAY_CLI_WITHHELD_H

#include "common/base/json_write.h"

/* An object of the server but for its content, wherever it stands; with "content_withheld": true. The server bounds
 * its depth. */
void withheld_write(struct json_write *w, const struct json *object);

#endif
