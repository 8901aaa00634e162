-- Ends the session with token hash $1.
DELETE FROM session WHERE token_hash = $1
