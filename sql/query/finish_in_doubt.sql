-- Adds one interruption to each of the mails $2 of token $1: its outcome is unknown. The same mail goes out again after $3
-- seconds.
UPDATE obligation o
SET interruptions = o.interruptions + 1, started_at = NULL, claim = NULL, claimed_until = NULL,
    due_at = (SELECT bascule_now()) + make_interval(secs => $3)
WHERE o.id = ANY ($2) AND o.claim = $1
