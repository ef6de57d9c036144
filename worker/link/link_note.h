/* worker/link/link_note.h - what the agent notes, as lines of the log. Any thread. */
#ifndef ASSAY_LINK_LINK_NOTE_H
#define ASSAY_LINK_LINK_NOTE_H

#include "worker/agent/agent.h"

void link_note(const struct agent_action *note, const struct str *endpoints, size_t endpoint_count);

#endif
