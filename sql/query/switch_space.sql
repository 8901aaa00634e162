-- Switches the space of request $1 at instant $2 (R3, R4), with all that follows from it. $3 and $4 are address and key, $5
-- to $7 password hash, question and answer hash. $8 are the facts of the recap, $9 and $10 token hash and seconds of its
-- session. A notice tells the contact of a switch under another address.
WITH switched AS (
    UPDATE space s
    SET access = 'password', switched_at = $2, email = $3, email_key = $4,
        password_hash = $5, question = $6, answer_hash = $7
    FROM request r
    WHERE r.id = $1 AND s.id = r.space_id AND s.access = 'certificate'
    RETURNING s.id, r.id AS request_id, r.generation, s.companies, s.contact_key
), recap AS (
    INSERT INTO recap (request_id, facts) SELECT request_id, $8::jsonb || jsonb_build_object('companies', companies) FROM switched
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'recap', 'recap', id, request_id, generation, $2 FROM switched
), told AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'switch-notice', id, request_id, generation, $2, $2 FROM switched WHERE contact_key <> $4
), opened AS (
    INSERT INTO session (token_hash, space_id, scope, expires_at)
    SELECT $9, id, 'recap', $2 + make_interval(secs => $10) FROM switched
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $2, id, request_id, 'activated', 'subscriber', 'code' FROM switched
