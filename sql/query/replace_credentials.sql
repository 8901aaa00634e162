-- The same other address again: the mail under way stands, the credentials are the latest.
UPDATE request r
SET password_hash = $2, question = $3, answer_hash = $4, submission = $5
WHERE r.id = $1 AND request_is_open(r) AND r.password_hash IS NOT NULL
