-- Ends request $1 at instant $2, by $3. Its code is dead from here on.
WITH cancelled AS (
    UPDATE request r SET cancelled_at = $2, password_hash = NULL, question = NULL, answer_hash = NULL
    WHERE r.id = $1 AND request_is_open(r)
    RETURNING r.id, r.space_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $2, space_id, id, 'cancelled', $3, 'administrator' FROM cancelled
