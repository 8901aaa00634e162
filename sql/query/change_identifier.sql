-- Uses the code of request $2, generation $3, up: its address becomes the identifier of space $1, if its password hash is
-- still $4. All sessions end but the one with token hash $5. Codes to reset are dead. A mail tells the old address.
-- Statements before lock space and code.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), used AS (
    UPDATE code c SET void_at = clock.now FROM clock
    WHERE c.request_id = $2 AND c.generation = $3 AND c.purpose = 'identifier' AND c.void_at IS NULL AND c.expires_at > clock.now
      AND EXISTS (SELECT FROM space s WHERE s.id = $1 AND s.access = 'password' AND s.password_hash = $4)
    RETURNING c.email, c.email_key
), before AS MATERIALIZED (
    SELECT max(c.generation) AS generation
    FROM space s JOIN code c ON c.request_id = $2 AND c.email_key = s.email_key AND c.purpose <> 'reset' WHERE s.id = $1
), changed AS (
    UPDATE space s SET email = u.email, email_key = u.email_key FROM used u WHERE s.id = $1
    RETURNING s.id
), dead AS (
    UPDATE code c SET void_at = clock.now FROM changed, clock WHERE c.request_id = $2 AND c.purpose = 'reset' AND c.void_at IS NULL
), ended AS (
    DELETE FROM session o USING changed c WHERE o.space_id = c.id AND o.token_hash <> $5
), told AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'identifier-notice', c.id, $2, b.generation, clock.now, clock.now FROM changed c, before b, clock
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, id, $2, 'identifier changed', 'subscriber', 'mailed code' FROM changed, clock
