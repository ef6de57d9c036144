-- The result statement (DESIGN.md 7): a group of records under the leader's term, all or nothing, and again without
-- effect. $2.. are arrays of one element a record; scores and transcripts name their record by its place (ord, from 1).
-- A group holds one result of a sample at most; the second one goes into the next group and finds the first.
--
-- The summary moves by what was really inserted. Which row is inserted, for a sample whose highest row is h:
--   no h                                   the record's own retry_no
--   h missing, record of a later retry     its own retry_no; h's share leaves the summary
--   h missing, and a better record late    h + 1; h's share leaves the summary  (scored beats unscored beats the rest)
--   else                                   none; an answer whose ask is not stored has been paid for twice
-- Callers hold the run's lock (statements/lock.sql), so nothing of these samples changes underneath. A run that ended
-- before its time takes rows as "after the end" (flag 32), outside of its summary; assay.run_reopen() takes them in.
WITH lead AS MATERIALIZED (
  SELECT 1 FROM assay.leader WHERE term = $1 FOR SHARE
), runs AS MATERIALIZED (
  SELECT r.* FROM (SELECT DISTINCT unnest($2::int8[]) AS run_id) u
   CROSS JOIN LATERAL (SELECT * FROM assay.run r WHERE r.run_id = u.run_id LIMIT 1) r
), inp AS MATERIALIZED (
  SELECT u.run_id, u.sample_no, u.ask_id, u.ord, u.retry_no, u.kind, u.outcome, u.flags, u.error_class, u.tokens_in,
         u.tokens_cached, u.tokens_out, u.tokens_reasoning, u.latency_ms, u.first_byte_ms, u.http_status,
         CASE u.outcome WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 0 END AS rank,
         to_timestamp(u.at_ms / 1000.0) AS at,
         (u.sample_no % r.item_count)::int4 AS item_no, (u.sample_no / r.item_count)::int4 AS epoch,
         r.team_id, r.suite_version_id, r.metric_count, r.state IN (3, 4, 5) AS after_end, r.state IN (2, 6) AS ended,
         u.fingerprint_id, u.worker_id, u.score, -- what may be NULL comes last: rows are read from the left
         coalesce(u.cost_said, ((u.tokens_in - least(u.tokens_cached, u.tokens_in)) * r.price_in::numeric
                               + least(u.tokens_cached, u.tokens_in) * coalesce(r.price_cached, r.price_in)
                               + u.tokens_out * r.price_out)::numeric / 1000000)::int8 AS cost,
         u.outbox, u.request_id, u.evidence
    FROM (SELECT unnest($2::int8[]) AS run_id, unnest($3::int8[]) AS sample_no, unnest($4::int4[]) AS retry_no,
                 unnest($5::int8[]) AS ask_id, unnest($6::int2[]) AS kind, unnest($7::int2[]) AS outcome,
                 unnest($8::int4[]) AS flags, unnest($9::int2[]) AS error_class, unnest($10::int4[]) AS tokens_in,
                 unnest($11::int4[]) AS tokens_cached, unnest($12::int4[]) AS tokens_out,
                 unnest($13::int4[]) AS tokens_reasoning, unnest($14::int8[]) AS cost_said,
                 unnest($15::int4[]) AS latency_ms, unnest($16::int4[]) AS first_byte_ms,
                 unnest($17::int4[]) AS fingerprint_id, unnest($18::int4[]) AS worker_id,
                 unnest($19::int8[]) AS at_ms, unnest($20::int4[]) AS http_status, unnest($21::float8[]) AS score,
                 unnest($22::int4[]) AS metric_max, unnest($23::uuid[]) AS outbox,
                 unnest($24::text[]) AS request_id, unnest($25::bytea[]) AS evidence,
                 generate_series(1, cardinality($2)) AS ord) u -- in step, without a store of its own for each array
    LEFT JOIN runs r ON r.run_id = u.run_id AND u.sample_no >= 0
                    AND u.sample_no < r.item_count::int8 * r.epochs AND u.metric_max < r.metric_count
   WHERE EXISTS (SELECT FROM lead)
), known AS MATERIALIZED ( -- results, each beside its sample's highest row, and whether it wins against that
  SELECT i.*, h.retry_no AS h_retry, h.outcome AS h_outcome, h.flags AS h_flags, h.cost AS h_cost, h.ask_id AS h_ask,
         h.worker_id AS h_worker, h.tokens_in AS h_in, h.tokens_cached AS h_cached, h.tokens_out AS h_out,
         h.tokens_reasoning AS h_reasoning, h.latency_ms AS h_latency, h.rank AS h_rank, s.stored,
         CASE WHEN h.retry_no IS NULL OR i.retry_no > h.retry_no THEN i.retry_no ELSE h.retry_no + 1 END AS new_retry,
         h.retry_no IS NULL OR (h.rank < 2 AND (i.ask_id = 0 OR NOT s.stored)
                                AND (i.retry_no > h.retry_no OR i.rank > h.rank)) AS wins
    FROM inp i
    LEFT JOIN LATERAL (SELECT *, CASE outcome WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 0 END AS rank
                         FROM assay.result_p{part} r WHERE r.run_id = i.run_id AND r.item_no = i.item_no
                          AND r.epoch = i.epoch ORDER BY r.retry_no DESC LIMIT 1) h ON true
   CROSS JOIN LATERAL (SELECT CASE WHEN h.retry_no IS NULL THEN false WHEN h.ask_id = i.ask_id THEN true
                              WHEN h.retry_no = 0 THEN false
                              ELSE EXISTS (SELECT FROM assay.result_p{part} o
                                            WHERE o.run_id = i.run_id AND o.item_no = i.item_no AND o.epoch = i.epoch
                                              AND o.ask_id = i.ask_id) END AS stored OFFSET 0) s
   WHERE i.kind = 1 AND i.team_id IS NOT NULL
), ins AS (
  INSERT INTO assay.result_p{part} (run_id, ask_id, item_no, epoch, retry_no, team_id, score, cost, at, flags, tokens_in,
                            tokens_cached, tokens_out, tokens_reasoning, latency_ms, first_byte_ms, fingerprint_id,
                            worker_id, outcome, error_class)
  SELECT run_id, ask_id, item_no, epoch, new_retry, team_id, score, cost, at,
         CASE WHEN after_end THEN flags | 32 ELSE flags & ~32 END, tokens_in, tokens_cached, tokens_out,
         tokens_reasoning, latency_ms, first_byte_ms, fingerprint_id, worker_id, outcome, error_class
    FROM known WHERE wins AND EXISTS (SELECT FROM lead)
  ON CONFLICT DO NOTHING
  RETURNING run_id, item_no, epoch
), won AS MATERIALIZED (
  SELECT k.*, i.task_no, i.stratum_no FROM known k JOIN ins USING (run_id, item_no, epoch)
   CROSS JOIN LATERAL (SELECT task_no, stratum_no FROM assay.suite_item i
                        WHERE i.suite_version_id = k.suite_version_id AND i.item_no = k.item_no LIMIT 1) i
   WHERE k.wins
), score AS MATERIALIZED (
  SELECT w.run_id, w.item_no, w.epoch, w.new_retry, w.team_id, w.task_no, w.stratum_no, w.after_end, s.metric, s.value, s.outcome,
         s.reason
    FROM (SELECT unnest($26::int4[]) AS ord, unnest($27::int4[]) AS metric, unnest($28::float8[]) AS value,
                 unnest($29::int2[]) AS outcome, unnest($30::text[]) AS reason) s
    JOIN won w USING (ord)
), score_ins AS (
  INSERT INTO assay.result_score_p{part} (run_id, item_no, epoch, retry_no, scoring_no, metric, team_id, outcome, value, reason)
  SELECT run_id, item_no, epoch, new_retry, 0, metric, team_id, outcome, value, reason FROM score
), transcript_ins AS (
  INSERT INTO assay.transcript_p{part} (run_id, item_no, epoch, retry_no, team_id, request, response, answer, explanations,
                                evidence, stop_reason, request_id)
  SELECT w.run_id, w.item_no, w.epoch, w.new_retry, w.team_id, t.request, t.response, t.answer, t.explanations,
         w.evidence, t.stop_reason, w.request_id
    FROM (SELECT unnest($31::int4[]) AS ord, unnest($32::bytea[]) AS request, unnest($33::bytea[]) AS response,
                 unnest($34::bytea[]) AS answer, unnest($35::bytea[]) AS explanations,
                 unnest($36::text[]) AS stop_reason) t
    JOIN won w USING (ord)
), attempt_ins AS (
  INSERT INTO assay.attempt_p{part} (run_id, ask_id, item_no, epoch, retry_no, team_id, error_class, lost, started, alone,
                             http_status, latency_ms, cost, at, outbox, worker_id, request_id, evidence)
  SELECT run_id, ask_id, item_no, epoch, retry_no, team_id, error_class,
         CASE WHEN error_class <> 20 THEN 0
              WHEN EXISTS (SELECT FROM assay.worker w WHERE w.outbox = inp.outbox AND w.lost_closed_term = $1
                              AND w.lost_closed_at >= inp.at) THEN 3
              -- its holder's answer came before this row, as a second one: that ask is not open any more
              WHEN error_class = 20 AND EXISTS (SELECT FROM assay.paid_twice p WHERE p.run_id = inp.run_id
                              AND p.item_no = inp.item_no AND p.epoch = inp.epoch AND p.worker_id = inp.worker_id
                              AND p.cause = 1) THEN 3
              ELSE 1 END,
         error_class = 20 AND flags & 1 <> 0, error_class = 20 AND flags & 2 <> 0, http_status, latency_ms, cost, at,
         outbox, worker_id, request_id, evidence
    FROM inp WHERE kind = 2 AND team_id IS NOT NULL
  ON CONFLICT DO NOTHING
  RETURNING run_id, team_id, lost, error_class
), lost_closed AS ( -- whatever its outbox says of the sample afterwards says what became of that ask
  UPDATE assay.attempt_p{part} a SET lost = CASE WHEN s.died THEN 2 ELSE 3 END
    FROM (SELECT run_id, item_no, epoch, outbox, bool_or(kind = 2 AND error_class = 19) AS died FROM inp
           WHERE outbox IS NOT NULL AND team_id IS NOT NULL AND NOT (kind = 2 AND error_class = 20)
             AND EXISTS (SELECT FROM assay.attempt_p{part} WHERE lost = 1)
           GROUP BY 1, 2, 3, 4) s
   WHERE a.run_id = s.run_id AND a.item_no = s.item_no AND a.epoch = s.epoch AND a.lost = 1 AND a.outbox = s.outbox
  RETURNING a.run_id, a.team_id
), died AS MATERIALIZED ( -- asks that died or were given up, of every sample that this group touches
  SELECT DISTINCT ON (ask_id) * FROM (
    SELECT a.run_id, a.item_no, a.epoch, a.team_id, a.ask_id, a.error_class, a.cost, a.worker_id, a.at
      FROM (SELECT run_id, item_no, epoch FROM won
             WHERE rank > 0 AND EXISTS (SELECT FROM assay.attempt_p{part} WHERE error_class IN (19, 21))
            UNION SELECT run_id, item_no, epoch FROM inp
                   WHERE kind = 2 AND error_class IN (19, 21) AND team_id IS NOT NULL) s
     CROSS JOIN LATERAL (SELECT * FROM assay.attempt_p{part} a WHERE a.run_id = s.run_id AND a.item_no = s.item_no
                            AND a.epoch = s.epoch AND a.error_class IN (19, 21) OFFSET 0) a
    UNION ALL
    SELECT run_id, item_no, epoch, team_id, ask_id, error_class, cost, worker_id, at
      FROM inp WHERE kind = 2 AND error_class IN (19, 21) AND team_id IS NOT NULL) both_sides
   ORDER BY ask_id
), paid AS (
  INSERT INTO assay.paid_twice (ask_id, run_id, item_no, epoch, team_id, cause, cost, worker_id)
  SELECT DISTINCT ON (ask_id) * FROM (
    SELECT k.ask_id, k.run_id, k.item_no, k.epoch, k.team_id, 1::int2 AS cause, k.cost, k.worker_id
      FROM known k
     WHERE k.rank > 0 AND k.ask_id <> 0 AND NOT k.stored AND NOT k.wins
    UNION ALL -- an answer without a score whose place a late one with a score has taken
    SELECT w.h_ask, w.run_id, w.item_no, w.epoch, w.team_id, 1, w.h_cost, w.h_worker
      FROM won w WHERE w.h_rank = 1 AND w.h_ask <> 0 AND w.retry_no <= w.h_retry
    UNION ALL
    SELECT d.ask_id, d.run_id, d.item_no, d.epoch, d.team_id, (CASE d.error_class WHEN 19 THEN 2 ELSE 3 END)::int2,
           d.cost, d.worker_id
      FROM died d
     WHERE NOT EXISTS (SELECT FROM won w WHERE w.ask_id = d.ask_id)
       AND NOT EXISTS (SELECT FROM assay.result_p{part} o WHERE o.run_id = d.run_id AND o.item_no = d.item_no
                          AND o.epoch = d.epoch AND o.ask_id = d.ask_id)
       AND (EXISTS (SELECT FROM won w WHERE w.run_id = d.run_id AND w.item_no = d.item_no AND w.epoch = d.epoch
                       AND w.rank > 0 AND w.ask_id <> 0)
            OR EXISTS (SELECT FROM assay.result_p{part} o WHERE o.run_id = d.run_id AND o.item_no = d.item_no
                          AND o.epoch = d.epoch AND o.outcome IN (1, 2) AND o.ask_id <> 0)
            OR EXISTS (SELECT FROM died o WHERE o.run_id = d.run_id AND o.item_no = d.item_no AND o.epoch = d.epoch
                          AND (o.at, o.ask_id) > (d.at, d.ask_id)))) asks
   ORDER BY ask_id, cause
  ON CONFLICT (ask_id) DO NOTHING
  RETURNING run_id, team_id, cost
), moved AS MATERIALIZED ( -- rows that enter the summary and rows that leave it, by their set of slices
  SELECT run_id, team_id, metric_count, task_no, stratum_no, sum(sign) AS n, sum(sign * (outcome = 1)::int4) AS scored, sum(sign * (outcome = 2)::int4) AS unscored,
         sum(sign * (outcome = 3)::int4) AS provider_error, sum(sign * (outcome = 4)::int4) AS harness_error,
         sum(sign * (outcome = 5)::int4) AS quarantined, sum(sign * (flags & 1)) AS refused,
         sum(sign * (flags >> 1 & 1)) AS truncated, sum(sign * (flags >> 2 & 1)) AS empty,
         sum(sign * (flags >> 3 & 1)) AS filtered, sum(sign * tokens_in) AS tokens_in,
         sum(sign * tokens_cached) AS tokens_cached, sum(sign * tokens_out) AS tokens_out,
         sum(sign * tokens_reasoning) AS tokens_reasoning, sum(sign * coalesce(cost, 0)) AS cost,
         sum(sign * (cost IS NULL AND rank > 0)::int4) AS cost_unknown, sum(sign * latency_ms) AS latency_ms
    FROM (SELECT run_id, team_id, metric_count, task_no, stratum_no, 1 AS sign, outcome, rank, flags, tokens_in, tokens_cached,
                 tokens_out, tokens_reasoning, cost, latency_ms
            FROM won WHERE NOT after_end
          UNION ALL
          SELECT run_id, team_id, metric_count, task_no, stratum_no, -1, h_outcome, h_rank, h_flags, h_in, h_cached, h_out,
                 h_reasoning, h_cost, h_latency
            FROM won WHERE NOT after_end AND h_retry IS NOT NULL) m
   GROUP BY 1, 2, 3, 4, 5
), moved_value AS MATERIALIZED (
  SELECT run_id, task_no, stratum_no, metric, sum(n) AS n, sum(n * value::numeric) AS sum,
         sum(n * (value::numeric * value::numeric)) AS sum_sq
    FROM (SELECT run_id, task_no, stratum_no, metric, value, sum(sign) AS n
            FROM (SELECT run_id, task_no, stratum_no, metric, 1 AS sign, value
                    FROM score WHERE NOT after_end AND value IS NOT NULL
                  UNION ALL
                  SELECT w.run_id, w.task_no, w.stratum_no, s.metric, -1, s.value
                    FROM won w CROSS JOIN LATERAL (
                         SELECT * FROM assay.result_score_p{part} s WHERE s.run_id = w.run_id
                            AND s.item_no = w.item_no AND s.epoch = w.epoch AND s.retry_no = w.h_retry
                            AND s.scoring_no = 0 OFFSET 0) s
                   WHERE NOT w.after_end AND w.h_rank = 1 AND s.value IS NOT NULL) v
           GROUP BY 1, 2, 3, 4, 5) by_value -- numeric is dear, and most scores are 0 or 1
   GROUP BY 1, 2, 3, 4
), delta AS (
  SELECT run_id, team_id, slice_no, -1 AS metric, n, scored, unscored, provider_error, harness_error, quarantined,
         refused, truncated, empty, filtered, tokens_in, tokens_cached, tokens_out, tokens_reasoning, cost,
         cost_unknown, latency_ms, 0 AS attempts, 0 AS paid_twice, 0::numeric AS paid_twice_cost, 0 AS lost_open,
         0 AS after_end, 0::numeric AS sum, 0::numeric AS sum_sq
    FROM moved CROSS JOIN assay.slices(task_no, stratum_no) AS slice_no
  UNION ALL -- a metric: its values, and every sample without one, by cause
  SELECT m.run_id, m.team_id, slice_no, metric, coalesce(v.n, 0), 0, m.scored + m.unscored - coalesce(v.n, 0),
         m.provider_error, m.harness_error, m.quarantined, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
         coalesce(v.sum, 0), coalesce(v.sum_sq, 0)
    FROM moved m CROSS JOIN assay.slices(m.task_no, m.stratum_no) AS slice_no
   CROSS JOIN generate_series(0, m.metric_count - 1) AS metric
    LEFT JOIN moved_value v USING (run_id, task_no, stratum_no, metric)
  UNION ALL -- what is counted for the whole run only
  SELECT run_id, team_id, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
         attempts, paid_twice, paid_twice_cost, lost_open, after_end, 0, 0
    FROM (SELECT run_id, team_id, (error_class <> 20)::int4 AS attempts, 0 AS paid_twice, 0::int8 AS paid_twice_cost,
                 (lost = 1)::int4 AS lost_open, 0 AS after_end FROM attempt_ins
          UNION ALL SELECT run_id, team_id, 0, 0, 0, -1, 0 FROM lost_closed
          UNION ALL SELECT run_id, team_id, 0, 1, coalesce(cost, 0), 0, 0 FROM paid
          UNION ALL SELECT run_id, team_id, 0, 0, 0, 0, 1 FROM won WHERE after_end) whole
), summary AS (
  INSERT INTO assay.run_summary AS s (run_id, scoring_no, slice_no, metric, team_id, n, scored, unscored,
                                      provider_error, harness_error, quarantined, refused, truncated, empty, filtered,
                                      tokens_in, tokens_cached, tokens_out, tokens_reasoning, cost, cost_unknown,
                                      latency_ms, attempts, paid_twice, paid_twice_cost, lost_open, after_end, sum,
                                      sum_sq)
  SELECT run_id, 0, slice_no, metric, team_id, sum(n), sum(scored), sum(unscored), sum(provider_error),
         sum(harness_error), sum(quarantined), sum(refused), sum(truncated), sum(empty), sum(filtered),
         sum(tokens_in), sum(tokens_cached), sum(tokens_out), sum(tokens_reasoning), sum(cost), sum(cost_unknown),
         sum(latency_ms), sum(attempts), sum(paid_twice), sum(paid_twice_cost), sum(lost_open), sum(after_end),
         sum(sum), sum(sum_sq)
    FROM delta GROUP BY run_id, slice_no, metric, team_id ORDER BY run_id, slice_no, metric
  ON CONFLICT (run_id, scoring_no, slice_no, metric) DO UPDATE SET
    n = s.n + excluded.n, scored = s.scored + excluded.scored, unscored = s.unscored + excluded.unscored,
    provider_error = s.provider_error + excluded.provider_error,
    harness_error = s.harness_error + excluded.harness_error, quarantined = s.quarantined + excluded.quarantined,
    refused = s.refused + excluded.refused, truncated = s.truncated + excluded.truncated,
    empty = s.empty + excluded.empty, filtered = s.filtered + excluded.filtered,
    tokens_in = s.tokens_in + excluded.tokens_in, tokens_cached = s.tokens_cached + excluded.tokens_cached,
    tokens_out = s.tokens_out + excluded.tokens_out, tokens_reasoning = s.tokens_reasoning + excluded.tokens_reasoning,
    cost = s.cost + excluded.cost, cost_unknown = s.cost_unknown + excluded.cost_unknown,
    latency_ms = s.latency_ms + excluded.latency_ms, attempts = s.attempts + excluded.attempts,
    paid_twice = s.paid_twice + excluded.paid_twice, paid_twice_cost = s.paid_twice_cost + excluded.paid_twice_cost,
    lost_open = s.lost_open + excluded.lost_open, after_end = s.after_end + excluded.after_end,
    sum = s.sum + excluded.sum, sum_sq = s.sum_sq + excluded.sum_sq
), stat AS ( -- a row that counts came after the run's end: its run_stat is to be computed again
  UPDATE assay.run SET stat_due = true
   WHERE run_id IN (SELECT run_id FROM won WHERE ended) AND NOT stat_due
)
SELECT (SELECT count(*) FROM lead)::int4 AS leads, (SELECT count(*) FROM ins)::int4 AS inserted,
       (SELECT count(*) FROM paid)::int4 AS paid_twice, (SELECT count(*) FROM attempt_ins)::int4 AS attempts,
       ARRAY(SELECT ord::int4 FROM inp WHERE team_id IS NULL ORDER BY ord) AS unknown
