/* coordinator/store/people.h - tokens of the API, and the audit trail. Only a token's hash is ever stored. */
#ifndef ASSAY_STORE_PEOPLE_H
#define ASSAY_STORE_PEOPLE_H

#include "common/base/hash.h"
#include "coordinator/store/store.h"

struct token_row {
	int32_t team_id, person_id;
	struct str team, person, scope; /* scope: "admin", "write", "read" */
};
enum err_code people_token_find(struct store *s, struct hash token_hash, struct arena *arena,
                                struct token_row **ret_token, struct error *reterr) MUST_CHECK; /* NULL: none */
/* Makes the person if need be; the same hash again changes nothing. */
enum err_code people_token_put(struct store *s, int32_t team_id, struct str person, struct str scope,
                               struct hash token_hash, struct error *reterr) MUST_CHECK;
enum err_code people_audit(struct store *s, int32_t team_id, struct str who, struct str what, struct str subject,
                           struct str detail, struct error *reterr) MUST_CHECK; /* detail: JSON or empty */

#endif
