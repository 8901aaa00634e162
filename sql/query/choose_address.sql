-- Points request $1 at another address, $2 with key $3, to be proven first (D1).
WITH chosen AS (
    UPDATE request r
    SET generation = generation + 1, chosen_email = $2, chosen_key = $3,
        password_hash = $4, question = $5, answer_hash = $6, submission = $7,
        other_addresses = other_addresses + 1,
        started_at = NULL, expires_at = NULL, mailed_at = NULL, bounced_at = NULL, bounce = NULL, in_doubt = false, refusal = ''
    WHERE r.id = $1 AND request_is_open(r) AND r.other_addresses < $8
    RETURNING r.id, r.space_id, r.generation
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at, happened_at)
    SELECT 'interactive', kind, id, generation, $9, $9 FROM chosen, (VALUES ('code'), ('notice')) AS k (kind)
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $9, space_id, id, 'address chosen', 'subscriber', 'another address than the one proven' FROM chosen
