#include "coordinator/store/people.h"
#include "coordinator/store/store_call.h"

enum err_code people_token_find(struct store *s, struct hash token_hash, struct arena *arena,
                                struct token_row **ret_token, struct error *reterr)
{
	static const struct pg_statement statement = {
		"people_token_find", "SELECT t.team_id, t.person_id, m.name, p.name, t.scope FROM assay.token t"
				     " JOIN assay.team m ON m.team_id = t.team_id JOIN assay.person p USING (person_id)"
				     " WHERE t.token_hash = $1::bytea AND t.revoked_at IS NULL"
	};
	pg_params_bytes(store_params(s), str_make(token_hash.bytes, HASH_BYTES));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct token_row *row = r.count ? store_rows_alloc(&r, 1, sizeof(*row)) : NULL;
	if (row)
		*row = (struct token_row){ .team_id = store_rows_i32(&r, 0, 0),
			                   .person_id = store_rows_i32(&r, 0, 1),
			                   .team = store_rows_text(&r, 0, 2),
			                   .person = store_rows_text(&r, 0, 3),
			                   .scope = store_rows_text(&r, 0, 4) };
	err = store_rows_end(&r, reterr);
	if (!err)
		*ret_token = row;
	return err;
}

enum err_code people_token_put(struct store *s, int32_t team_id, struct str person, struct str scope,
                               struct hash token_hash, struct error *reterr)
{
	static const struct pg_statement statement = {
		"people_token_put",
		"WITH who AS (INSERT INTO assay.person AS p (team_id, name) VALUES ($1::int4, $2::text)"
		" ON CONFLICT (team_id, name) DO UPDATE SET name = excluded.name RETURNING person_id)"
		" INSERT INTO assay.token (token_hash, team_id, person_id, scope)"
		" SELECT $4::bytea, $1::int4, person_id, $3::text FROM who ON CONFLICT (token_hash) DO NOTHING"
	};
	struct pg_params *p = store_params(s);
	pg_params_i32(p, team_id);
	pg_params_text(p, person);
	pg_params_text(p, scope);
	pg_params_bytes(p, str_make(token_hash.bytes, HASH_BYTES));
	return store_write(s, &statement, reterr);
}

enum err_code people_audit(struct store *s, int32_t team_id, struct str who, struct str what, struct str subject,
                           struct str detail, struct error *reterr)
{
	static const struct pg_statement statement = {
		"people_audit", "INSERT INTO assay.audit (team_id, who, what, subject, detail)"
				" VALUES ($1::int4, $2::text, $3::text, $4::text, nullif($5::text, ''))"
	};
	struct pg_params *p = store_params(s);
	pg_params_i32(p, team_id);
	pg_params_text(p, who);
	pg_params_text(p, what);
	pg_params_text(p, subject);
	pg_params_text(p, detail);
	return store_write(s, &statement, reterr);
}
