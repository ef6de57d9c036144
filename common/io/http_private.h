/* common/io/http_private.h - what http_client.c and http_done.c share; for nobody else. */
#ifndef ASSAY_IO_HTTP_PRIVATE_H
#define ASSAY_IO_HTTP_PRIVATE_H

#include "common/io/http_client.h"

const char *http_class_text(enum http_class class);  /* for people; static */
enum err_code http_class_err(enum http_class class); /* HTTP_OTHER: ERR_IO */

#endif
