-- A new password may be chosen for the space that request $1 switched, with a code made with key $2: its mail is due (R31).
-- The codes before are dead. The request is locked by a statement before.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), asked AS (
    INSERT INTO reset (request_id, generation, key_id, nonce, requested_at)
    SELECT r.id, 1 + coalesce((SELECT max(z.generation) FROM reset z WHERE z.request_id = r.id), 0), $2, uuid_send(gen_random_uuid()), clock.now
    FROM request r, clock WHERE r.id = $1 AND r.activated_at IS NOT NULL
    RETURNING request_id, generation
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT 'interactive', 'reset', request_id, generation, clock.now FROM asked, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, r.space_id, r.id, 'new password asked', 'subscriber', 'trust answer' FROM asked a JOIN request r ON r.id = a.request_id, clock
