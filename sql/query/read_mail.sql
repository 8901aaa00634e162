-- What is needed to write the mails $1. What has become void since is found at the start. Who shares a contact address is counted
-- once for each address, and no further than a mail tells (D2).
WITH mail AS MATERIALIZED (
    SELECT o.id, o.kind, o.space_id, o.request_id, o.generation, o.copy, o.attempts, o.happened_at, o.blame
    FROM obligation o WHERE o.id = ANY ($1)
), contact AS MATERIALIZED (
    SELECT k.contact_key, (SELECT count(*) FROM (
               SELECT FROM space x WHERE x.contact_key = k.contact_key AND x.access = 'certificate' LIMIT 1001) AS counted) AS sharing,
           EXISTS (SELECT FROM space x WHERE x.email_key = k.contact_key AND x.access = 'password') AS taken
    FROM (SELECT DISTINCT s.contact_key FROM mail m JOIN space s ON s.id = m.space_id WHERE m.kind = 'code') AS k
)
SELECT m.id, m.kind, m.request_id, m.generation, m.copy, m.attempts, coalesce(m.blame = 'own', false) AS own_fault,
       c.key_id, c.nonce, c.purpose = 'activate' AS is_chosen,
       CASE WHEN m.kind IN ('code', 'reset', 'expired') THEN c.email
            WHEN m.kind IN ('notice', 'switch-notice') THEN s.contact_email
            ELSE s.email END AS recipient,
       c.email AS code_email,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       coalesce(s.switched_at, 'epoch') AS switched_at, coalesce(m.happened_at, 'epoch') AS happened_at,
       coalesce(k.sharing, 1) AS sharing, coalesce(k.taken, false) AS taken, p.pdf
FROM mail m
JOIN space s ON s.id = m.space_id
JOIN code c ON c.request_id = m.request_id AND c.generation = m.generation
LEFT JOIN contact k ON k.contact_key = s.contact_key AND m.kind = 'code'
LEFT JOIN recap p ON p.request_id = m.request_id AND m.kind = 'confirmation'
ORDER BY m.id
