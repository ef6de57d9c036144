/* coordinator/store/workers.h - workers as rows: who was here, in which term, and which keys may come.
 *
 * The rows follow the fleet (WRITER_WORKER, WRITER_WORKER_GONE); here they are read, and keys are admitted. */
#ifndef ASSAY_STORE_WORKERS_H
#define ASSAY_STORE_WORKERS_H

#include "common/wire/msg.h"
#include "coordinator/store/store.h"

struct worker_row {
	int32_t worker_id;
	struct outbox_id outbox;
	struct str name, build, key, abilities;
	uint32_t slots;
	uint64_t term; /* of its last Hello */
	bool gone;
	int64_t first_at_ms, hello_at_ms, gone_at_ms;
	uint64_t lost_open; /* asks of it that nobody has heard of */
};
enum err_code workers_list(struct store *s, size_t limit, struct arena *arena, struct worker_row **ret_workers,
                           size_t *ret_count, struct error *reterr) MUST_CHECK;

struct worker_key_row {
	struct str key; /* public, Z85 */
	struct str name, added_by;
	int64_t added_at_ms;
	bool revoked;
};
enum err_code workers_keys(struct store *s, struct arena *arena, struct worker_key_row **ret_keys, size_t *ret_count,
                           struct error *reterr) MUST_CHECK;
/* Adding one that is there (or was revoked) admits it again under the new name. */
enum err_code workers_key_put(struct store *s, struct str key, struct str name, struct str by,
                              struct error *reterr) MUST_CHECK;
enum err_code workers_key_revoke(struct store *s, struct str key, bool *ret_found, struct error *reterr) MUST_CHECK;

#endif
