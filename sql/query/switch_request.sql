-- Activates request $1 at instant $3 by the code of generation $2, for form $4 (I3). The address must be the one that this
-- code proves: its key is $5 (D1). All codes of the request are dead. Counts the requests that it activated.
WITH switched AS (
    UPDATE request r
    SET activated_at = $3, generation = c.generation, password_hash = NULL, question = NULL, answer_hash = NULL, submission = $4
    FROM code c
    WHERE r.id = $1 AND c.request_id = r.id AND c.generation = $2
      AND request_is_open(r) AND c.void_at IS NULL AND c.expires_at > $3 AND c.email_key = $5
    RETURNING r.id, r.generation
), dead AS (
    UPDATE code c SET void_at = $3
    FROM switched s WHERE c.request_id = s.id AND c.void_at IS NULL
)
SELECT count(*) FROM switched
