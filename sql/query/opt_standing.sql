-- Lets the certificate holder prevail over open request $1 (D8), with the address already mailed. Its mail, under way or
-- sent, stands with its code and deadline. This code activates from now on ($6), and no other code is good. $2 to $5 are
-- password hash, question, answer hash and form.
WITH attached AS (
    UPDATE request r SET password_hash = $2, question = $3, answer_hash = $4, submission = $5
    WHERE r.id = $1 AND request_is_open(r)
    RETURNING r.id, r.space_id, r.generation
), codes AS (
    UPDATE code c
    SET purpose = CASE WHEN c.generation = a.generation THEN 'activate' ELSE c.purpose END,
        void_at = CASE WHEN c.generation <> a.generation THEN $6::timestamptz END
    FROM attached a WHERE c.request_id = a.id AND c.void_at IS NULL
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $6::timestamptz, space_id, id, 'identifiers chosen', 'subscriber', 'certificate' FROM attached
