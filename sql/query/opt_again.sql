-- The holder of the certificate prevails over open request $1 (D8): another mail goes out, to the address chosen, $2 with key
-- $3; the codes before are dead. One that was still queued moves so to the interactive queue. $9 tells whether the address is
-- another one than before, of which there are $10 at most.
WITH chosen AS (
    UPDATE request r
    SET generation = generation + 1, contact_generation = NULL, chosen_email = $2, chosen_key = $3,
        password_hash = $4, question = $5, answer_hash = $6, submission = $7,
        other_addresses = other_addresses + $9::boolean::int,
        started_at = NULL, expires_at = NULL, mailed_at = NULL, bounced_at = NULL, bounce = NULL, in_doubt = false, refusal = ''
    WHERE r.id = $1 AND request_is_open(r) AND (NOT $9 OR r.other_addresses < $10)
    RETURNING r.id, r.space_id, r.generation, r.contact_key, r.chosen_key
), due AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'code', id, generation, $8::timestamptz, $8::timestamptz FROM chosen
    UNION ALL
    SELECT 'interactive', 'notice', id, generation, $8::timestamptz, $8::timestamptz FROM chosen WHERE $9 AND chosen_key <> contact_key
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $8::timestamptz, space_id, id, CASE WHEN $9 THEN 'address chosen' ELSE 'identifiers chosen' END, 'subscriber', 'certificate' FROM chosen
