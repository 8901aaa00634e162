-- Makes the new spaces. Imports run one at a time, and nothing else makes spaces.
INSERT INTO space (id, number, holder, contact_email, contact_key, serial, issuer, certificate_expires, priority, companies, contents)
OVERRIDING SYSTEM VALUE
SELECT j.space_id, number, s.holder, s.email, s.email_key, s.serial, s.issuer, s.expires, s.priority, coalesce(d.companies, '[]'), s.contents::uuid
FROM judged j JOIN staged s USING (line) LEFT JOIN dossier d USING (number)
WHERE j.verdict = 'accepted' AND j.action = 'new'
ORDER BY j.space_id
