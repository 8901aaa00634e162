-- Reads what the mails $1 tell that make no code good, and locks the codes that they are about. Codes that somebody holds
-- are left out.
-- good: a repetition is good while its code is; a reminder, while its code is and nobody has typed it (D16). A mail about
-- an expired code is good until it bounced, the space has a newer request, or the space is switched. If an address that the
-- subscriber chose bounced, the contact is told instead, unless the contact's mail came back, too.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), mail AS MATERIALIZED (
    SELECT o.id, o.kind, c.request_id, c.generation, c.purpose, c.email, c.email_key, c.key_id, c.nonce, c.expires_at, c.mailed_at, c.void_at,
           c.bounced_at, c.typed_at, s.id AS space_id, s.number, s.holder, s.contact_email, s.contact_key, s.certificate_expires,
           s.access, s.switched_at, s.email AS identifier
    FROM obligation o
    JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    JOIN space s ON s.id = o.space_id
    WHERE o.id = ANY ($1)
    FOR NO KEY UPDATE OF c SKIP LOCKED
)
SELECT m.id, (SELECT now FROM clock) AS now, m.request_id, m.generation, m.key_id, m.nonce, m.purpose = 'activate' AS is_chosen, m.email AS code_email,
       CASE WHEN m.kind = 'expired' AND m.bounced_at IS NOT NULL THEN m.contact_email
            WHEN m.kind IN ('code', 'reminder', 'expired', 'identifier-notice') THEN m.email
            WHEN m.kind IN ('notice', 'switch-notice') THEN m.contact_email
            ELSE m.identifier END AS recipient,
       m.number, m.holder, m.contact_key, m.email_key, m.certificate_expires, coalesce(m.switched_at, 'epoch') AS switched_at,
       CASE WHEN m.kind = 'code' THEN coalesce((SELECT r.campaign_id FROM request r WHERE r.id = m.request_id), 0) ELSE 0 END AS of_campaign,
       CASE WHEN m.kind = 'confirmation' THEN (SELECT p.pdf FROM recap p WHERE p.request_id = m.request_id) END AS pdf,
       coalesce(CASE WHEN m.kind = 'notice' THEN (
               SELECT max(i.expires_at) FROM code i WHERE i.request_id = m.request_id AND i.purpose = 'identify' AND i.void_at IS NULL)
           ELSE m.expires_at END, 'epoch') AS expires_at,
       CASE m.kind
           WHEN 'code' THEN m.void_at IS NULL AND m.mailed_at IS NOT NULL AND m.expires_at > (SELECT now FROM clock)
           WHEN 'reminder' THEN m.purpose = 'identify' AND m.void_at IS NULL AND m.typed_at IS NULL AND m.bounced_at IS NULL
               AND EXISTS (SELECT FROM request r WHERE r.id = m.request_id AND r.generation = m.generation AND request_is_open(r))
           WHEN 'expired' THEN m.access <> 'password'
               AND (m.bounced_at IS NULL OR m.purpose = 'activate'
                    AND NOT EXISTS (SELECT FROM code k WHERE k.request_id = m.request_id AND k.email_key = m.contact_key AND k.bounced_at IS NOT NULL))
               AND NOT EXISTS (SELECT FROM request n WHERE n.space_id = m.space_id AND n.id > m.request_id)
           ELSE true END AS good
FROM mail m
