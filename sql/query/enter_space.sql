-- Opens a session of $4 seconds on space $1, with token hash $3, unless the password is no longer the one with hash $2. Behind
-- whoever is changing the password it waits for the lock, and compares with the new one; whoever changes it later waits for
-- this session, and ends it.
INSERT INTO session (token_hash, space_id, scope, expires_at)
SELECT $3, id, 'space', (SELECT bascule_now()) + make_interval(secs => $4)
FROM space WHERE id = $1 AND access = 'password' AND password_hash = $2
FOR SHARE
