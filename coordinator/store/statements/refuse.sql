-- Rows that cannot stand where they belong, kept with their bytes and their cost.
INSERT INTO assay.refused_result (outbox, record_no, run_id, sample_no, retry_no, ask_id, cost, reason, raw)
SELECT * FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::text[],
                     $9::bytea[])
ON CONFLICT DO NOTHING
