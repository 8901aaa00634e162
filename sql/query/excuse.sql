-- Gives the attempts of the refusals on record since the last success back: the relay is to blame. Their mails are due
-- again in $2 seconds. The obligations $1 met a refusal of us, which counted as no attempt.
WITH excused AS MATERIALIZED (
    SELECT id FROM obligation WHERE blame = 'open' OR id = ANY ($1) AND blame IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE obligation o
SET attempts = CASE WHEN o.blame = 'open' AND o.claim IS NULL THEN greatest(0, o.attempts - 1) ELSE o.attempts END,
    due_at = CASE WHEN o.blame = 'open' AND o.claim IS NULL THEN (SELECT bascule_now()) + make_interval(secs => $2) ELSE o.due_at END,
    blame = 'excused'
FROM excused WHERE o.id = excused.id
