-- Replaces the credentials of request $1, when the same other address is chosen again: the mail under way stands. $2 to $5
-- are password hash, question, answer hash and form.
UPDATE request r
SET password_hash = $2, question = $3, answer_hash = $4, submission = $5
WHERE r.id = $1 AND request_is_open(r) AND r.password_hash IS NOT NULL
