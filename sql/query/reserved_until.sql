-- Reads until when an open request reserves the address with key $1 (R22); null while its mail has not started.
SELECT c.expires_at FROM code c
WHERE c.email_key = $1 AND c.purpose = 'activate' AND c.void_at IS NULL AND (c.bounce IS NULL OR c.bounce = 'late')
LIMIT 1
