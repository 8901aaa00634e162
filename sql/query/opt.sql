-- Opens a request with credentials for the certificate holder of space $1 (R12-R19): address $2 with key $3, key id $9, at
-- instant $8. $4 to $7 are password hash, question, answer hash and form. A notice tells the contact if the address is not
-- the contact's.
WITH opened AS (
    INSERT INTO request (space_id, origin, password_hash, question, answer_hash, submission, requested_at)
    SELECT s.id, 'space', $4, $5, $6, $7, $8
    FROM space s WHERE s.id = $1 AND s.access = 'certificate'
    RETURNING id, space_id, generation
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT id, generation, 'activate', $2, $3, $9, uuid_send(gen_random_uuid()) FROM opened
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'code', space_id, id, generation, $8, $8 FROM opened
    UNION ALL
    SELECT 'interactive', 'notice', o.space_id, o.id, o.generation, $8, $8
    FROM opened o JOIN space s ON s.id = o.space_id WHERE s.contact_key <> $3
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $8, space_id, id, 'requested', 'subscriber', 'certificate' FROM opened
