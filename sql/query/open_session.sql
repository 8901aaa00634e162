-- Opens another session, with token hash $2, on the recap of request $1. It ends with the session that the activation
-- opened. There is none if that one has ended: by its time, by signing out or by another password. A statement before locks
-- the space.
INSERT INTO session (token_hash, space_id, scope, expires_at)
SELECT $2, r.space_id, 'recap', max(o.expires_at)
FROM request r JOIN session o ON o.space_id = r.space_id AND o.scope = 'recap' AND o.expires_at > (SELECT bascule_now())
WHERE r.id = $1 AND r.activated_at IS NOT NULL
GROUP BY r.space_id
