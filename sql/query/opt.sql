-- The holder of the certificate of space $1 opens a request with credentials (R12-R19): address $2 with key $3, at $8, with
-- key id $9. The contact is told of another address than its own.
WITH opened AS (
    INSERT INTO request (space_id, origin, key_id, nonce, contact_email, contact_key,
                         chosen_email, chosen_key, password_hash, question, answer_hash, submission, requested_at)
    SELECT s.id, 'space', $9, uuid_send(gen_random_uuid()), s.contact_email, s.contact_key, $2, $3, $4, $5, $6, $7, $8
    FROM space s WHERE s.id = $1 AND s.access = 'certificate'
    RETURNING id, space_id, generation, contact_key, chosen_key
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'code', id, generation, $8, $8 FROM opened
    UNION ALL
    SELECT 'interactive', 'notice', id, generation, $8, $8 FROM opened WHERE chosen_key <> contact_key
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $8, space_id, id, 'requested', 'subscriber', 'certificate' FROM opened
