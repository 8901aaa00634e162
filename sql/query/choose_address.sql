-- Points open request $1 at the address $2 with key $3, by another mail with another code (D1, D8). $4 to $7 are password
-- hash, question, answer hash and form, $8 is the instant. $9 tells whether the address counts as another one: $10 of them
-- are allowed, and a notice tells the contact. $11 tells whether the certificate holder chose: the codes
-- before are dead then, and a mail that was still queued moves to the interactive queue. Otherwise somebody did who typed
-- the contact's code: it stays good to open the identifiers, and an address chosen before is given up.
WITH chosen AS (
    UPDATE request r
    SET generation = k.next, password_hash = $4, question = $5, answer_hash = $6, submission = $7,
        other_addresses = other_addresses + $9::boolean::int
    FROM (SELECT max(generation) + 1 AS next FROM code WHERE request_id = $1) AS k
    WHERE r.id = $1 AND request_is_open(r) AND (NOT $9 OR r.other_addresses < $10)
    RETURNING r.id, r.space_id, r.generation
), released AS ( -- a request of the holder's own is not held
    DELETE FROM held h USING chosen c WHERE $11 AND h.request_id = c.id
), dead AS (
    UPDATE code c SET void_at = $8::timestamptz FROM chosen h
    WHERE c.request_id = h.id AND c.void_at IS NULL AND ($11::boolean OR c.purpose = 'activate')
    RETURNING c.request_id
), made AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
    SELECT h.id, h.generation, 'activate', $2, $3, k.key_id, uuid_send(gen_random_uuid())
    FROM chosen h JOIN code k ON k.request_id = h.id AND k.generation = h.generation - 1,
         (SELECT count(*) FROM dead) AS before -- its address is free first
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', kind, space_id, id, generation, $8::timestamptz, $8::timestamptz
    FROM chosen, (VALUES ('code'), ('notice')) AS k (kind) WHERE $9 OR kind = 'code'
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $8::timestamptz, space_id, id, CASE WHEN $9 THEN 'address chosen' ELSE 'identifiers chosen' END, 'subscriber',
       CASE WHEN $11 THEN 'certificate' ELSE 'another address than the one proven' END
FROM chosen
