-- Deletes up to $1 each of sessions that are over, throttles that have leaked empty, and mails that wait without end for
-- nothing. Such a mail is an invitation to somebody who is left alone (D17) whose request has ended or has another code. Or
-- it is a reminder that waits for its campaign, and its code is over (D16). Rows that somebody holds are left for the next
-- time. Returns the largest of the three numbers. It also deletes the daily numbers of addresses after two days (D16).
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), sessions AS (
    DELETE FROM session WHERE token_hash IN (
        SELECT token_hash FROM session WHERE expires_at <= (SELECT now FROM clock) LIMIT $1)
    RETURNING 1
), throttles AS (
    DELETE FROM throttle WHERE bucket IN (
        SELECT bucket FROM throttle WHERE empty_at <= (SELECT now FROM clock) LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
), waiting AS (
    DELETE FROM obligation WHERE id IN (
        SELECT o.id FROM obligation o JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
        WHERE o.lane IN ('interactive', 'bulk') AND o.due_at = 'infinity'
          AND (c.void_at IS NOT NULL OR o.kind = 'reminder' AND c.expires_at <= (SELECT now FROM clock))
        LIMIT $1 FOR UPDATE OF o SKIP LOCKED)
    RETURNING 1
), days AS (
    DELETE FROM allowance WHERE day < ((SELECT now FROM clock) AT TIME ZONE 'Europe/Paris')::date - 1
)
SELECT greatest((SELECT count(*) FROM sessions), (SELECT count(*) FROM throttles), (SELECT count(*) FROM waiting)) AS found
