-- Finds the password space whose identifier has key $1.
SELECT s.id AS space_id, r.id AS request_id, s.email, s.password_hash, s.question, s.answer_hash
FROM space s JOIN request r ON r.space_id = s.id AND r.activated_at IS NOT NULL
WHERE s.email_key = $1 AND s.access = 'password'
