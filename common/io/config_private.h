/* common/io/config_private.h - what config.c and config_text.c share; for nobody else. */
#ifndef ASSAY_IO_CONFIG_PRIVATE_H
#define ASSAY_IO_CONFIG_PRIVATE_H

#include "common/io/config.h"

enum { CONFIG_ENV_NAME_BYTES = 80 };

void config_env_name(const struct config_flag *f, char out[CONFIG_ENV_NAME_BYTES]); /* "ASSAY_CONNECT_TIMEOUT" */
const struct config_command *config_find_command(const struct config_program *p, struct str words); /* or its alias */
bool config_is_group(const struct config_program *p, struct str words); /* do commands begin with these words? */

/* Each says what is wrong and what would be right, and returns ERR_INVALID. */
enum err_code config_say_bad_value(const struct config_flag *f, const char *origin, struct str text,
                                   struct error *reterr);
enum err_code config_say_out_of_bounds(const struct config_flag *f, const char *origin, struct str text,
                                       struct error *reterr);
enum err_code config_say_needed(const struct config_flag *f, struct error *reterr);
enum err_code config_say_unknown_flag(const struct config_program *p, const struct config_command *k, struct str typed,
                                      struct error *reterr);
enum err_code config_say_unknown_command(const struct config_program *p, struct str group, struct str word,
                                         struct error *reterr);

#endif
