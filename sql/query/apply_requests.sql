-- Opens the requests of new and known spaces, with their first code and its mail. $1 batch, $2 key id, $3 actor.
-- The nonce is the 122 random bits of a version 4 UUID.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), opened AS (
    INSERT INTO request (space_id, batch_id, origin, requested_at)
    SELECT s.space_id, $1, 'import', clock.now
    FROM staged s, clock
    WHERE s.verdict = 'accepted' AND s.action IN ('new', 'restart')
    ORDER BY s.line
    ON CONFLICT DO NOTHING
    RETURNING id, space_id
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT o.id, 1, 'identify', s.email, s.email_key, $2, uuid_send(gen_random_uuid())
    FROM opened o JOIN staged s ON s.space_id = o.space_id AND s.verdict = 'accepted'
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'bulk', 'code', space_id, id, 1, clock.now FROM opened, clock
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, id, 'requested', $3, 'batch ' || $1::bigint FROM opened, clock
)
UPDATE staged s SET request_id = opened.id, action = CASE s.action WHEN 'new' THEN 'opened' ELSE 'reopened' END
FROM opened WHERE s.space_id = opened.space_id AND s.verdict = 'accepted' AND s.action IN ('new', 'restart')
