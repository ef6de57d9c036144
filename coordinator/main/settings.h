/* coordinator/main/settings.h - the flags of assay-coordinator. */
#ifndef ASSAY_MAIN_SETTINGS_H
#define ASSAY_MAIN_SETTINGS_H

#include "common/io/config.h"

extern const struct config_program settings_program;

#endif
