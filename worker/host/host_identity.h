/* worker/host/host_identity.h - which model a server serves, as a short name that changes when the model does.
 *
 * From llama.cpp's /props (build, model file, chat template) or from the ids of /v1/models; times and loads are left
 * out, so that the same server says the same after each start. Pure. */
#ifndef ASSAY_HOST_HOST_IDENTITY_H
#define ASSAY_HOST_HOST_IDENTITY_H

#include "common/base/buf.h"

/* Appends "NAME:0123456789ab". False: neither body says anything; nothing is appended then. */
bool host_identity(struct str name, struct str props, struct str models, struct buf *out);

#endif
