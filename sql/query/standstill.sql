-- Tells why no mail goes out: how many workers were heard of within $1 seconds, and what to do about the Redis of one of
-- them; for how many seconds the relay has had the mail that it has had for longest; when the next mail is due, and how the
-- relay refused it before, if it brings a code. Looks at the first $2 mails of each lane alone: of a limit that
-- it does not know the planner expects few rows, and takes the index whatever the statistics say.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), first AS MATERIALIZED (
    SELECT o.* FROM (VALUES ('interactive'), ('bulk')) AS l (lane),
        LATERAL (SELECT * FROM obligation WHERE obligation.lane = l.lane ORDER BY due_at, id LIMIT (SELECT $2::int)) AS o
), next AS (
    SELECT first.* FROM first, clock WHERE claimed_until IS NULL OR claimed_until <= now ORDER BY due_at LIMIT 1
)
SELECT (SELECT count(*) FROM worker, clock WHERE seen_at > now - make_interval(secs => $1)) AS workers,
       (SELECT coalesce(max(trouble), '') FROM worker, clock WHERE seen_at > now - make_interval(secs => $1)) AS trouble,
       (SELECT coalesce(extract(epoch FROM max(now - started_at)), 0)::int FROM first, clock WHERE claimed_until > now) AS handed,
       coalesce((SELECT due_at FROM next, clock WHERE due_at > now AND due_at < 'infinity'), 'epoch') AS next_at,
       coalesce((
           SELECT c.refusal FROM next n JOIN code c USING (request_id, generation)
           WHERE n.attempts > 0 AND n.copy = 0 AND n.kind IN ('code', 'reset', 'identifier')), '') AS refusal
