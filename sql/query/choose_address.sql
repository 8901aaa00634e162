-- Points request $1 at another address, $2 with key $3, to be proven first (D1). The contact's code stays good to open the
-- identifiers. An address chosen before is given up. $4 to $7 are password hash, question, answer hash and form. A request
-- may choose $8 other addresses at most. $9 is the instant.
WITH chosen AS (
    UPDATE request r
    SET generation = k.next, password_hash = $4, question = $5, answer_hash = $6, submission = $7, other_addresses = other_addresses + 1
    FROM (SELECT max(generation) + 1 AS next FROM code WHERE request_id = $1) AS k
    WHERE r.id = $1 AND request_is_open(r) AND r.other_addresses < $8
    RETURNING r.id, r.space_id, r.generation
), given_up AS (
    UPDATE code c SET void_at = $9 FROM chosen h WHERE c.request_id = h.id AND c.purpose = 'activate' AND c.void_at IS NULL
    RETURNING c.request_id
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT h.id, h.generation, 'activate', $2, $3, k.key_id, uuid_send(gen_random_uuid())
    FROM chosen h JOIN code k ON k.request_id = h.id AND k.generation = h.generation - 1,
         (SELECT count(*) FROM given_up) AS before -- its address is free first
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', kind, space_id, id, generation, $9, $9 FROM chosen, (VALUES ('code'), ('notice')) AS k (kind)
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $9, space_id, id, 'address chosen', 'subscriber', 'another address than the one proven' FROM chosen
