#include "worker/link/link_note.h"
#include "common/io/log.h"

static const char *cause_name(uint64_t cause)
{
	static const char *const names[] = { "?", "standby", "version", "unknown", "duplicate", "full", "stopping" };
	return cause < ARRAY_LEN(names) ? names[cause] : "?";
}

static void note_connection(const struct agent_action *a, struct str endpoint)
{
	switch (a->note.what) {
	case AGENT_NOTE_WELCOME:
		log_info("welcomed", log_u64("term", a->note.a), log_u64("timeline", a->note.b));
		return;
	case AGENT_NOTE_REFUSED:
		if (a->note.a == REFUSE_STANDBY)
			log_debug("a standby answered", log_str("endpoint", endpoint));
		else
			log_warn("refused", log_str("endpoint", endpoint), log_c("cause", cause_name(a->note.a)),
			         log_str("text", a->note.text));
		return;
	case AGENT_NOTE_SILENCE:
		log_warn("the coordinator is silent", log_str("endpoint", endpoint));
		return;
	case AGENT_NOTE_LOST:
		log_debug("connection lost", log_str("endpoint", endpoint));
		return;
	case AGENT_NOTE_STALE:
		log_warn("a coordinator of an old term is left", log_str("endpoint", endpoint),
		         log_u64("term", a->note.a));
		return;
	default:
		return;
	}
}

void link_note(const struct agent_action *a, const struct str *endpoints, size_t endpoint_count)
{
	struct str endpoint = a->note.b < endpoint_count ? endpoints[a->note.b] : STR("");
	switch (a->note.what) {
	case AGENT_NOTE_TIMELINE:
		log_warn("the database has another timeline", log_u64("before", a->note.a), log_u64("now", a->note.b));
		return;
	case AGENT_NOTE_WINDOW_FULL:
		log_warn("results are not committed: no new work is started", log_u64("records", a->note.a));
		return;
	case AGENT_NOTE_OUTBOX:
		return; /* the outbox thread has said why */
	case AGENT_NOTE_BAD_FRAME:
		log_warn("a frame that does not belong here is dropped",
		         log_c("kind", msg_kind_name((enum msg_kind)a->note.a)));
		return;
	case AGENT_NOTE_FOREIGN_COMMIT:
		log_warn("a Commit for another outbox is dropped");
		return;
	case AGENT_NOTE_NO_CONTEXT:
		log_warn("a lease came without its run context: the session is begun anew", log_u64("run", a->note.a));
		return;
	case AGENT_NOTE_LICENCE_ENDED:
		log_warn("cut off: nothing more is started until the coordinator answers",
		         log_u64("samples", a->note.a));
		return;
	case AGENT_NOTE_DRAINING:
		log_info("draining: no new samples", log_u64("limit_ms", a->note.a));
		return;
	default:
		note_connection(a, endpoint);
	}
}
