-- Reads the recap that the session with token hash $1 may see.
SELECT p.request_id, s.number, p.facts, p.pdf
FROM session o
JOIN space s ON s.id = o.space_id
JOIN request r ON r.space_id = s.id AND r.activated_at IS NOT NULL
JOIN recap p ON p.request_id = r.id
WHERE o.token_hash = $1 AND o.expires_at > (SELECT bascule_now())
