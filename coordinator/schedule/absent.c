#include "coordinator/schedule/absent.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/run.h"
#include <string.h>

enum { REPORT_MAX = 1000 };

static struct outbox_id who_is_absent(const struct schedule *s)
{
	struct outbox_id outbox = { 0 };
	struct str key;
	size_t at = 0;
	if (s->last_workers.len == 1 && map_next(&s->last_workers, &at, &key))
		memcpy(outbox.bytes, key.data, sizeof(outbox.bytes));
	return outbox;
}

static void report_run(struct schedule *s, const struct run *r, const struct outbox_id *outbox,
                       struct sched_actions *out)
{
	struct span span = r->gap;
	uint64_t sample_no;
	while (run_next(r, &span, span.end, &sample_no)) {
		span.at++;
		attempt_note(s, &(struct sched_unreported){ .run_id = r->run_id,
		                                            .sample_no = sample_no,
		                                            .retry_no = r->retry_wave,
		                                            .scoring_no = r->scoring_no,
		                                            .error_class = CLASS_LOST });
		if (s->unreported_count == REPORT_MAX)
			attempt_report(s, outbox, out);
	}
	attempt_report(s, outbox, out);
}

void absent_report(struct schedule *s, struct sched_actions *out)
{
	struct outbox_id outbox = who_is_absent(s);
	if (s->last_workers.len == 0)
		return;
	for (size_t i = 0; i < s->order_count; i++)
		if (s->runs[s->order[i]]->gap_closed)
			report_run(s, s->runs[s->order[i]], &outbox, out);
}
