-- Claims up to $2 due mails of lane $1 with token $3 for $4 seconds, if $5 none whose refusal is on record (D11).
-- Of $7 workers, the one of rank $6 alone takes its share of what became due less than a second ago.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), due AS (
    SELECT o.id FROM obligation o
    WHERE o.lane = $1 AND o.due_at <= (SELECT now FROM clock)
      AND (o.claimed_until IS NULL OR o.claimed_until <= (SELECT now FROM clock))
      AND (NOT $5 OR o.blame IS NULL)
      AND ($7 = 1 OR o.id % $7 = $6 OR o.due_at <= (SELECT now FROM clock) - interval '1 second')
    ORDER BY o.due_at, o.id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE obligation o SET claim = $3, claimed_until = clock.now + make_interval(secs => $4)
FROM due, clock WHERE o.id = due.id
RETURNING o.id
