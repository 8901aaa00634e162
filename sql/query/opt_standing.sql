-- The holder of the certificate prevails over open request $1 (D8): the mail to the address chosen, $2 with key $3, is under
-- way or was sent; its code and deadline stand, and it activates from now on.
WITH attached AS (
    UPDATE request r
    SET chosen_email = $2, chosen_key = $3, password_hash = $4, question = $5, answer_hash = $6, submission = $7,
        contact_generation = NULL
    WHERE r.id = $1 AND request_is_open(r)
    RETURNING r.id, r.space_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $8, space_id, id, 'identifiers chosen', 'subscriber', 'certificate' FROM attached
