-- Makes a code that the owner of the space asks for, which request $1 switched: to reset the password, or for another
-- identifier (the purpose $2). It goes to the address $3 with key $4, or to the identifier if they are null, and the key $5
-- makes it. Its mail is due (R31). Codes for the same that were made before are dead. There is none if the identifier is no
-- longer $6, or if the hash of the secret that was matched is no longer $7. A statement before locks the space.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), dead AS (
    UPDATE code c SET void_at = clock.now FROM clock WHERE c.request_id = $1 AND c.purpose = $2 AND c.void_at IS NULL
), asked AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT r.id, (SELECT max(c.generation) + 1 FROM code c WHERE c.request_id = r.id), $2, coalesce($3, s.email), coalesce($4, s.email_key), $5, uuid_send(gen_random_uuid())
    FROM request r JOIN space s ON s.id = r.space_id
    WHERE r.id = $1 AND r.activated_at IS NOT NULL AND s.access = 'password'
      AND s.email = $6 AND CASE $2 WHEN 'reset' THEN s.answer_hash ELSE s.password_hash END = $7
    RETURNING request_id, generation
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', $2, r.space_id, r.id, a.generation, clock.now, clock.now FROM asked a JOIN request r ON r.id = a.request_id, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, r.space_id, r.id, CASE $2 WHEN 'reset' THEN 'new password asked' ELSE 'identifier asked' END, 'subscriber',
       CASE $2 WHEN 'reset' THEN 'trust answer' ELSE 'in the space' END
FROM asked a JOIN request r ON r.id = a.request_id, clock
