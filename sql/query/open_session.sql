-- Opens another session on the recap of request $1.
INSERT INTO session (token_hash, space_id, scope, expires_at)
SELECT $2, space_id, 'recap', (SELECT bascule_now()) + make_interval(secs => $3)
FROM request WHERE id = $1 AND activated_at IS NOT NULL
