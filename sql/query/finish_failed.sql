-- Makes each of the mails $2 of the tokens $1 due again after $3 seconds, with $4 attempts more, for reason $5: it certainly did
-- not go out. The deadline is taken back, unless an earlier copy may have arrived (D4). Lists the mails that are left
-- because somebody holds their codes.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), failed AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.request_id, o.generation, o.campaign_id, o.interruptions, i.delay, i.attempts, i.reason,
           c.email_key, (o.started_at AT TIME ZONE 'Europe/Paris')::date AS day, c.started_at, c.void_at IS NULL AND c.mailed_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > (SELECT now FROM clock)) AS good
    FROM unnest($1::uuid[], $2::bigint[], $3::float8[], $4::int[], $5::text[]) AS i (token, id, delay, attempts, reason)
    JOIN obligation o ON o.id = i.id AND o.claim = i.token
    JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    FOR UPDATE OF o, c SKIP LOCKED
), taken_back AS (
    UPDATE code c
    SET started_at = CASE WHEN f.interruptions > 0 THEN c.started_at END,
        expires_at = CASE WHEN f.interruptions > 0 THEN c.expires_at END,
        refusal = CASE WHEN f.attempts > 0 THEN f.reason ELSE c.refusal END
    FROM failed f
    WHERE f.kind IN ('code', 'reset', 'identifier') AND f.copy = 0 AND c.request_id = f.request_id AND c.generation = f.generation
      AND f.good
), counted AS ( -- the mail did not start on its day, after all (D13)
    INSERT INTO tally (campaign_id, day, started)
    SELECT campaign_id, (started_at AT TIME ZONE 'Europe/Paris')::date, -count(*)
    FROM failed WHERE kind = 'code' AND copy = 0 AND good AND interruptions = 0 AND campaign_id IS NOT NULL AND started_at IS NOT NULL
    GROUP BY 1, 2
), locked AS MATERIALIZED (
    SELECT a.email_key, a.day FROM allowance a JOIN (SELECT DISTINCT email_key, day FROM failed WHERE campaign_id IS NOT NULL) AS f USING (email_key, day)
    ORDER BY 1, 2 FOR UPDATE OF a
), allowed AS ( -- nor is it one of the mails of its address (D16)
    UPDATE allowance a SET mails = greatest(a.mails - f.n, 0)
    FROM (SELECT l.email_key, l.day, count(*) AS n FROM locked l JOIN failed USING (email_key, day)
          WHERE campaign_id IS NOT NULL AND interruptions = 0 AND copy = 0 GROUP BY 1, 2) AS f
    WHERE a.email_key = f.email_key AND a.day = f.day
), due AS (
    UPDATE obligation o
    SET due_at = clock.now + make_interval(secs => f.delay), attempts = o.attempts + f.attempts,
        claim = NULL, claimed_until = NULL, started_at = NULL,
        message_date = CASE WHEN o.interruptions > 0 THEN o.message_date END
    FROM failed f, clock WHERE o.id = f.id
)
SELECT i.id FROM unnest($1::uuid[], $2::bigint[]) AS i (token, id) JOIN obligation o ON o.id = i.id AND o.claim = i.token
WHERE i.id NOT IN (SELECT id FROM failed)
