-- Reads the space that the session with token hash $1 is in.
SELECT s.id, r.id AS request_id, s.email, s.question, s.password_hash, s.switched_at, p.facts,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access
FROM session o
JOIN space s ON s.id = o.space_id
JOIN request r ON r.space_id = s.id AND r.activated_at IS NOT NULL
JOIN recap p ON p.request_id = r.id
WHERE o.token_hash = $1 AND o.scope = 'space' AND o.expires_at > (SELECT bascule_now())
