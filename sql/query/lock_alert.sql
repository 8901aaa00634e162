-- Locks the oldest alert that nobody else is about to mail.
SELECT id, made_at, subject, text FROM alert ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
