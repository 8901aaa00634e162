-- Makes a code for a new password of the space that request $1 switched, with key id $2; its mail is due (R31). The codes
-- to reset made before are dead. A statement before locks the request.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), dead AS (
    UPDATE code c SET void_at = clock.now FROM clock WHERE c.request_id = $1 AND c.purpose = 'reset' AND c.void_at IS NULL
), asked AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT r.id, (SELECT max(c.generation) + 1 FROM code c WHERE c.request_id = r.id), 'reset', s.email, s.email_key, $2, uuid_send(gen_random_uuid())
    FROM request r JOIN space s ON s.id = r.space_id
    WHERE r.id = $1 AND r.activated_at IS NOT NULL AND s.access = 'password'
    RETURNING request_id, generation
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'reset', r.space_id, r.id, a.generation, clock.now, clock.now FROM asked a JOIN request r ON r.id = a.request_id, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, r.space_id, r.id, 'new password asked', 'subscriber', 'trust answer' FROM asked a JOIN request r ON r.id = a.request_id, clock
