-- What must hold in the database whatever died, at any moment: each query returns no row. Only tables of DESIGN.md 7.
--
-- A query has a name, ends with a semicolon at the end of a line, and says beside it how it is broken: `invariants.py`
-- does that in a transaction which it rolls back, and a query that finds nothing then fails the test.
-- Codes: outcome 1 scored, 2 unscored, 3 provider_error, 4 harness_error, 5 quarantined; run.state 0 queued, 1 running,
-- 2 done, 3 decided, 4 cancelled, 5 over budget, 6 incomplete; error_class 19 died, 20 lost, 21 abandoned; flag 32
-- after the end.

-- name: I1 every sample of a run that ended by itself has a row
-- broken by: DELETE FROM assay.result WHERE (run_id, item_no, epoch) = (SELECT run_id, item_no, epoch FROM assay.result LIMIT 1)
SELECT r.run_id, r.selected_count::int8 * r.epochs AS samples, count(DISTINCT (c.item_no, c.epoch)) AS with_a_row
  FROM assay.run r LEFT JOIN assay.result c USING (run_id)
 WHERE r.state IN (2, 6)
 GROUP BY r.run_id HAVING count(DISTINCT (c.item_no, c.epoch)) <> r.selected_count::int8 * r.epochs;

-- name: I1 a key stands once
-- broken by: ALTER TABLE assay.result DROP CONSTRAINT result_pkey; INSERT INTO assay.result SELECT * FROM assay.result LIMIT 1
SELECT run_id, item_no, epoch, retry_no, count(*) FROM assay.result GROUP BY 1, 2, 3, 4 HAVING count(*) > 1;

-- name: I2 nothing takes the place of a scored row
-- broken by: CREATE TEMP TABLE one AS SELECT * FROM assay.result WHERE outcome = 1 LIMIT 1; UPDATE one SET retry_no = retry_no + 1, ask_id = ask_id + 1; INSERT INTO assay.result SELECT * FROM one
SELECT a.run_id, a.item_no, a.epoch, a.retry_no, b.retry_no AS later
  FROM assay.result a JOIN assay.result b USING (run_id, item_no, epoch)
 WHERE a.outcome = 1 AND b.retry_no > a.retry_no;

-- name: I2 an ask is stored once
-- broken by: CREATE TEMP TABLE one AS SELECT * FROM assay.result WHERE outcome = 1 LIMIT 1; UPDATE one SET retry_no = retry_no + 1; INSERT INTO assay.result SELECT * FROM one
SELECT run_id, ask_id, count(*) FROM assay.result WHERE ask_id <> 0 GROUP BY 1, 2 HAVING count(*) > 1;

-- name: I3 an ask whose answer counts was not paid for twice
-- broken by: INSERT INTO assay.paid_twice (ask_id, run_id, item_no, epoch, team_id, cause) SELECT ask_id, run_id, item_no, epoch, team_id, 1 FROM assay.result WHERE outcome = 1 LIMIT 1
SELECT p.run_id, p.item_no, p.epoch, p.ask_id, p.cause
  FROM assay.paid_twice p JOIN assay.result c USING (run_id, item_no, epoch, ask_id)
 WHERE NOT EXISTS (SELECT FROM assay.result later WHERE later.run_id = c.run_id AND later.item_no = c.item_no
                      AND later.epoch = c.epoch AND later.retry_no > c.retry_no);

-- name: I3 an ask that died or was given up is counted once its sample has an answer
-- broken by: INSERT INTO assay.attempt (run_id, ask_id, item_no, epoch, retry_no, team_id, error_class, lost, started, alone, http_status, latency_ms, at) SELECT run_id, ask_id + 1, item_no, epoch, retry_no, team_id, 19, 0, false, false, 0, 0, now() FROM assay.result WHERE outcome = 1 LIMIT 1
SELECT a.run_id, a.item_no, a.epoch, a.ask_id, a.error_class
  FROM assay.attempt a
 WHERE a.error_class IN (19, 21)
   AND EXISTS (SELECT FROM assay.result c WHERE c.run_id = a.run_id AND c.item_no = a.item_no AND c.epoch = a.epoch
                  AND c.outcome IN (1, 2) AND c.ask_id <> 0)
   AND NOT EXISTS (SELECT FROM assay.result c WHERE c.run_id = a.run_id AND c.item_no = a.item_no
                      AND c.epoch = a.epoch AND c.ask_id = a.ask_id)
   AND NOT EXISTS (SELECT FROM assay.paid_twice p WHERE p.ask_id = a.ask_id);

-- name: I3 what was paid for twice is an ask of a sample that there is
-- broken by: INSERT INTO assay.paid_twice (ask_id, run_id, item_no, epoch, team_id, cause) SELECT 1, run_id, item_count, 0, team_id, 1 FROM assay.run LIMIT 1
SELECT p.* FROM assay.paid_twice p LEFT JOIN assay.run r USING (run_id)
 WHERE r.run_id IS NULL OR p.item_no NOT BETWEEN 0 AND r.item_count - 1 OR p.epoch NOT BETWEEN 0 AND r.epochs - 1
    OR p.team_id <> r.team_id;

-- name: I3 an ask that was paid for because it died has its attempt
-- broken by: INSERT INTO assay.paid_twice (ask_id, run_id, item_no, epoch, team_id, cause) SELECT 1, run_id, 0, 0, team_id, 2 FROM assay.run LIMIT 1
SELECT p.* FROM assay.paid_twice p
 WHERE p.cause IN (2, 3)
   AND NOT EXISTS (SELECT FROM assay.attempt a WHERE a.run_id = p.run_id AND a.ask_id = p.ask_id
                      AND a.error_class = CASE p.cause WHEN 2 THEN 19 ELSE 21 END);

-- name: I3 a sample was sent only after that had been written down
-- broken by: UPDATE assay.run SET sent_to = 0 WHERE run_id = (SELECT run_id FROM assay.result WHERE ask_id <> 0 LIMIT 1)
SELECT r.run_id, r.sent_to, count(DISTINCT (c.item_no, c.epoch)) AS asked
  FROM assay.run r JOIN assay.result c USING (run_id)
 WHERE c.ask_id <> 0
 GROUP BY r.run_id HAVING count(DISTINCT (c.item_no, c.epoch)) > r.sent_to;

-- name: I1 a row belongs to a sample of its run, and to the run's team
-- broken by: UPDATE assay.run SET item_count = 1 WHERE run_id = (SELECT run_id FROM assay.result WHERE item_no > 0 LIMIT 1)
SELECT c.run_id, c.item_no, c.epoch, c.team_id
  FROM assay.result c LEFT JOIN assay.run r USING (run_id)
 WHERE r.run_id IS NULL OR c.team_id <> r.team_id OR c.epoch NOT BETWEEN 0 AND r.epochs - 1
    OR c.item_no NOT BETWEEN 0 AND r.item_count - 1;

-- name: an item of a row stands in the run's suite version
-- broken by: DELETE FROM assay.suite_item i USING assay.run r, assay.result c WHERE c.run_id = r.run_id AND i.suite_version_id = r.suite_version_id AND i.item_no = c.item_no
SELECT c.run_id, c.item_no
  FROM assay.result c JOIN assay.run r USING (run_id)
  LEFT JOIN assay.suite_item i ON i.suite_version_id = r.suite_version_id AND i.item_no = c.item_no
 WHERE i.item_no IS NULL;

-- name: a row stands in the partition that its run names
-- broken by: UPDATE assay.run SET part = part + 1 WHERE run_id = (SELECT run_id FROM assay.result LIMIT 1)
SELECT r.run_id, r.part, c.tableoid::regclass FROM assay.result c JOIN assay.run r USING (run_id)
 WHERE c.tableoid::regclass IS DISTINCT FROM to_regclass('assay.result_p' || r.part)
 GROUP BY 1, 2, 3;

-- name: a scored row has its ask, its score and a value or a reason for every metric
-- broken by: DELETE FROM assay.result_score WHERE (run_id, item_no) = (SELECT run_id, item_no FROM assay.result WHERE outcome = 1 LIMIT 1)
SELECT c.run_id, c.item_no, c.epoch, c.retry_no, count(s.metric) AS metrics
  FROM assay.result c JOIN assay.run r USING (run_id)
  LEFT JOIN assay.result_score s ON s.run_id = c.run_id AND s.item_no = c.item_no AND s.epoch = c.epoch
                                AND s.retry_no = c.retry_no AND s.scoring_no = 0
 WHERE c.outcome = 1
 GROUP BY 1, 2, 3, 4, c.ask_id, c.score, r.metric_count
HAVING count(s.metric) <> r.metric_count OR c.ask_id = 0 OR c.score IS NULL;

-- name: a score belongs to a row
-- broken by: DELETE FROM assay.result WHERE (run_id, item_no) = (SELECT run_id, item_no FROM assay.result_score LIMIT 1)
SELECT s.run_id, s.item_no, s.epoch, s.retry_no FROM assay.result_score s
  LEFT JOIN assay.result c USING (run_id, item_no, epoch, retry_no)
 WHERE c.run_id IS NULL;

-- name: a transcript belongs to a row
-- broken by: DELETE FROM assay.result WHERE (run_id, item_no) = (SELECT run_id, item_no FROM assay.transcript LIMIT 1)
SELECT t.run_id, t.item_no, t.epoch, t.retry_no FROM assay.transcript t
  LEFT JOIN assay.result c USING (run_id, item_no, epoch, retry_no)
 WHERE c.run_id IS NULL;

-- name: I2 the summary's samples are the rows, slice by slice
-- broken by: UPDATE assay.run_summary SET n = n + 1 WHERE metric = -1
WITH counted AS (
  SELECT DISTINCT ON (c.run_id, c.item_no, c.epoch) c.*, i.task_no, i.stratum_no
    FROM assay.result c JOIN assay.run r USING (run_id)
    JOIN assay.suite_item i ON i.suite_version_id = r.suite_version_id AND i.item_no = c.item_no
   WHERE c.flags & 32 = 0
   ORDER BY c.run_id, c.item_no, c.epoch, c.retry_no DESC
), rows_of AS (
  SELECT c.run_id, p.slice_no, count(*) AS n, count(*) FILTER (WHERE outcome = 1) AS scored,
         count(*) FILTER (WHERE outcome = 2) AS unscored, count(*) FILTER (WHERE outcome = 3) AS provider_error,
         count(*) FILTER (WHERE outcome = 4) AS harness_error, count(*) FILTER (WHERE outcome = 5) AS quarantined,
         sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, coalesce(sum(cost), 0) AS cost,
         sum(latency_ms) AS latency_ms
    FROM counted c
   CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY[0, c.task_no, c.stratum_no]) AS slice_no) p
   GROUP BY 1, 2
), said AS (
  SELECT * FROM assay.run_summary WHERE metric = -1 AND scoring_no = 0
)
SELECT run_id, slice_no, s.n AS said, r.n AS counted, s.cost AS said_cost, r.cost AS counted_cost
  FROM rows_of r FULL JOIN said s USING (run_id, slice_no)
 WHERE (coalesce(s.n, 0), coalesce(s.scored, 0), coalesce(s.unscored, 0), coalesce(s.provider_error, 0),
        coalesce(s.harness_error, 0), coalesce(s.quarantined, 0), coalesce(s.tokens_in, 0),
        coalesce(s.tokens_out, 0), coalesce(s.cost, 0), coalesce(s.latency_ms, 0))
    <> (coalesce(r.n, 0), coalesce(r.scored, 0), coalesce(r.unscored, 0), coalesce(r.provider_error, 0),
        coalesce(r.harness_error, 0), coalesce(r.quarantined, 0), coalesce(r.tokens_in, 0),
        coalesce(r.tokens_out, 0), coalesce(r.cost, 0), coalesce(r.latency_ms, 0));

-- name: I2 the summary's values are the scores, slice by slice
-- broken by: UPDATE assay.run_summary SET sum = sum + 1 WHERE metric = 0
WITH counted AS (
  SELECT DISTINCT ON (c.run_id, c.item_no, c.epoch) c.run_id, c.item_no, c.epoch, c.retry_no, i.task_no, i.stratum_no
    FROM assay.result c JOIN assay.run r USING (run_id)
    JOIN assay.suite_item i ON i.suite_version_id = r.suite_version_id AND i.item_no = c.item_no
   WHERE c.flags & 32 = 0
   ORDER BY c.run_id, c.item_no, c.epoch, c.retry_no DESC
), values_of AS (
  SELECT c.run_id, p.slice_no, v.metric, count(*) AS n, sum(v.value::numeric) AS sum,
         sum(v.value::numeric * v.value::numeric) AS sum_sq
    FROM counted c
    JOIN assay.result_score v ON v.run_id = c.run_id AND v.item_no = c.item_no AND v.epoch = c.epoch
                             AND v.retry_no = c.retry_no AND v.scoring_no = 0 AND v.value IS NOT NULL
   CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY[0, c.task_no, c.stratum_no]) AS slice_no) p
   GROUP BY 1, 2, 3
), said AS (
  SELECT * FROM assay.run_summary WHERE metric >= 0 AND scoring_no = 0
)
SELECT run_id, slice_no, metric, s.n AS said, v.n AS counted, s.sum AS said_sum, v.sum AS counted_sum
  FROM values_of v FULL JOIN said s USING (run_id, slice_no, metric)
 WHERE (coalesce(s.n, 0), coalesce(s.sum, 0), coalesce(s.sum_sq, 0))
    <> (coalesce(v.n, 0), coalesce(v.sum, 0), coalesce(v.sum_sq, 0));

-- name: I3 the summary's paid twice, lost, attempts and late rows are the rows
-- broken by: UPDATE assay.run_summary SET paid_twice = paid_twice + 1 WHERE metric = -1 AND slice_no = 0
WITH said AS (
  SELECT r.run_id, coalesce(s.paid_twice, 0) AS paid_twice, coalesce(s.paid_twice_cost, 0) AS cost,
         coalesce(s.lost_open, 0) AS lost_open, coalesce(s.attempts, 0) AS attempts,
         coalesce(s.after_end, 0) AS after_end
    FROM assay.run r
    LEFT JOIN assay.run_summary s ON s.run_id = r.run_id AND s.slice_no = 0 AND s.metric = -1 AND s.scoring_no = 0
), counted AS (
  SELECT r.run_id, (SELECT count(*) FROM assay.paid_twice p WHERE p.run_id = r.run_id) AS paid_twice,
         (SELECT coalesce(sum(p.cost), 0)::int8 FROM assay.paid_twice p WHERE p.run_id = r.run_id) AS cost,
         (SELECT count(*) FROM assay.attempt a WHERE a.run_id = r.run_id AND a.lost = 1) AS lost_open,
         (SELECT count(*) FROM assay.attempt a WHERE a.run_id = r.run_id AND a.error_class <> 20) AS attempts,
         (SELECT count(*) FROM assay.result c WHERE c.run_id = r.run_id AND c.flags & 32 <> 0) AS after_end
    FROM assay.run r
)
SELECT s.*, c.* FROM said s JOIN counted c USING (run_id) WHERE s IS DISTINCT FROM c;

-- name: I6 a run has ended exactly when it says when
-- broken by: UPDATE assay.run SET ended_at = NULL
SELECT run_id, state, ended_at FROM assay.run WHERE (state >= 2) <> (ended_at IS NOT NULL);

-- name: I6 a run that is done has no missing sample, one that is incomplete says why
-- broken by: UPDATE assay.run SET state = 6, reason = ''
SELECT r.run_id, r.state, r.reason FROM assay.run r
 WHERE r.state = 6 AND r.reason = ''
    OR r.state = 2 AND EXISTS (SELECT FROM assay.result c
                                WHERE c.run_id = r.run_id AND c.outcome >= 3
                                  AND NOT EXISTS (SELECT FROM assay.result later
                                                   WHERE later.run_id = c.run_id AND later.item_no = c.item_no
                                                     AND later.epoch = c.epoch AND later.retry_no > c.retry_no));

-- name: I1 no record of a run that there is was refused
-- broken by: INSERT INTO assay.refused_result (outbox, record_no, run_id, sample_no, retry_no, ask_id, reason, raw) SELECT gen_random_uuid(), 1, run_id, 0, 0, 1, 'x', '' FROM assay.run LIMIT 1
SELECT f.run_id, f.sample_no, f.ask_id, f.reason FROM assay.refused_result f JOIN assay.run r USING (run_id);

-- name: I5 there is one term, and nobody is ahead of it
-- broken by: UPDATE assay.leader SET term = 0
SELECT 'beat' AS who, b.term FROM assay.leader_beat b WHERE b.term > (SELECT max(term) FROM assay.leader)
UNION ALL
SELECT 'worker', w.term FROM assay.worker w WHERE w.term > (SELECT max(term) FROM assay.leader)
UNION ALL
SELECT 'rows of leader', count(*) FROM assay.leader HAVING count(*) <> 1;

-- name: I9 a quarantined sample has its evidence: three deaths while alone
-- broken by: UPDATE assay.result SET outcome = 5 WHERE (run_id, item_no) = (SELECT run_id, item_no FROM assay.result LIMIT 1)
SELECT c.run_id, c.item_no, c.epoch, count(a.ask_id) AS deaths_alone
  FROM assay.result c
  LEFT JOIN assay.attempt a ON a.run_id = c.run_id AND a.item_no = c.item_no AND a.epoch = c.epoch AND a.alone
 WHERE c.outcome = 5
 GROUP BY 1, 2, 3 HAVING count(a.ask_id) < 3;

-- name: who answered is known
-- broken by: DELETE FROM assay.worker
SELECT c.run_id, c.worker_id, c.fingerprint_id, count(*) FROM assay.result c
 WHERE c.worker_id IS NOT NULL AND NOT EXISTS (SELECT FROM assay.worker w WHERE w.worker_id = c.worker_id)
    OR c.fingerprint_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM assay.fingerprint f WHERE f.fingerprint_id = c.fingerprint_id)
 GROUP BY 1, 2, 3;

-- name: a suite version has as many items as it says
-- broken by: UPDATE assay.suite_version SET item_count = item_count + 1
SELECT v.suite_version_id, v.item_count, count(i.item_no) AS items
  FROM assay.suite_version v LEFT JOIN assay.suite_item i USING (suite_version_id)
 WHERE v.version IS NOT NULL
 GROUP BY 1, 2 HAVING count(i.item_no) <> v.item_count;
