-- Claims up to $1 recaps to render with token $2 for $3 seconds.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), due AS (
    SELECT o.id FROM obligation o
    WHERE o.lane = 'recap' AND o.due_at <= (SELECT now FROM clock)
      AND (o.claimed_until IS NULL OR o.claimed_until <= (SELECT now FROM clock))
    ORDER BY o.due_at, o.id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE obligation o SET claim = $2, claimed_until = clock.now + make_interval(secs => $3)
    FROM due, clock WHERE o.id = due.id
    RETURNING o.id, o.request_id
)
SELECT d.id AS obligation_id, d.request_id, p.facts FROM claimed d JOIN recap p ON p.request_id = d.request_id ORDER BY d.id
