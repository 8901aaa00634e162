-- Moves campaign $1 from one of the states $2 to state $3, for reason $4, by $5. Counts the campaigns that it moved: 0 if
-- the state is none of these.
WITH moved AS (
    UPDATE campaign SET state = $3, why = $4, watched_from = CASE $3 WHEN 'running' THEN (SELECT bascule_now()) ELSE watched_from END
    WHERE id = $1 AND state = ANY ($2) RETURNING id
), told AS (
    INSERT INTO campaign_audit (at, campaign_id, event, actor, why) SELECT (SELECT bascule_now()), id, $3, $5, $4 FROM moved
), woken AS (
    SELECT pg_notify('bascule_due', '') FROM moved
)
SELECT count(*) FROM moved, woken
