-- Counts what is due in each lane, up to $1, and tells whether the relay's breaker lets mail start: one in $2 seconds, see
-- claim_probe.sql. Tells which campaigns run.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT lane.lane,
       CASE lane.lane
           WHEN 'expiry' THEN (SELECT count(*) FROM (
               SELECT FROM deadline WHERE at <= (SELECT now FROM clock) ORDER BY at LIMIT $1) AS due)
           ELSE (SELECT count(*) FROM (
               SELECT FROM obligation o
               WHERE o.lane = lane.lane AND o.due_at <= (SELECT now FROM clock)
                 AND (o.claimed_until IS NULL OR o.claimed_until <= (SELECT now FROM clock))
               ORDER BY o.due_at, o.id -- by the index: an empty lane beside a million rows is counted at once
               LIMIT $1) AS due)
       END AS due,
       breaker.opened_at IS NOT NULL AS breaker_open,
       coalesce(breaker.probe_at <= (SELECT now FROM clock)
           OR breaker.probe_at > (SELECT now FROM clock) + 2 * make_interval(secs => $2), false) AS probe_due,
       coalesce((SELECT string_agg(id::text, ' ' ORDER BY id) FROM campaign WHERE state = 'running'), '') AS running
FROM (VALUES ('interactive'), ('bulk'), ('recap'), ('expiry')) AS lane (lane), breaker
