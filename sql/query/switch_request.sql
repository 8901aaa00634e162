-- Activates request $1 at instant $3 by the code of generation $2, for form $4 (I3), with no other address than the one
-- that this code proves, whose key is $5 (D1).
UPDATE request r
SET activated_at = $3,
    started_at = c.started_at, expires_at = c.expires_at, mailed_at = coalesce(r.mailed_at, $3),
    chosen_email = CASE WHEN c.generation = r.generation THEN r.chosen_email END,
    chosen_key = CASE WHEN c.generation = r.generation THEN r.chosen_key END,
    password_hash = NULL, question = NULL, answer_hash = NULL,
    submission = $4
FROM code c
WHERE r.id = $1 AND c.request_id = r.id AND c.generation = $2
  AND request_is_open(r) AND r.activated_at IS NULL AND c.expires_at > $3
  AND $5 = CASE WHEN r.chosen_key IS NOT NULL AND c.generation = r.generation THEN r.chosen_key
                WHEN c.generation = r.contact_generation THEN r.contact_key END
