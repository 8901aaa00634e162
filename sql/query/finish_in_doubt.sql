-- Adds one interruption to each of the mails $2 of the tokens $1: its outcome is unknown. The same mail goes out again after
-- $3 seconds. None is left because somebody holds it.
WITH doubted AS (
    UPDATE obligation o
    SET interruptions = o.interruptions + 1, started_at = NULL, claim = NULL, claimed_until = NULL,
        due_at = (SELECT bascule_now()) + make_interval(secs => $3)
    FROM unnest($1::uuid[], $2::bigint[]) AS i (token, id)
    WHERE o.id = i.id AND o.claim = i.token
)
SELECT 0 WHERE false
