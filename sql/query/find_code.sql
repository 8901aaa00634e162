-- Finds the codes with one of the tags $1, each with its request and its space. pending is another address whose own code
-- is on its way, or arrived; unreached, the last one, if its mail came back or was refused for good. An expiry, too, makes
-- void what reserves an address: that code is late like any other.
WITH tagged AS MATERIALIZED (
    SELECT request_id, generation FROM code WHERE tag = ANY ($1)
), found AS MATERIALIZED ( -- hardly ever more than one row; the planner does not know this
    SELECT * FROM tagged LIMIT 10
)
SELECT c.request_id, c.generation, c.purpose, c.email, c.key_id, c.nonce, coalesce(c.expires_at, 'epoch') AS expires_at,
       coalesce(c.void_at IS NULL AND c.expires_at > (SELECT bascule_now()), false) AS live,
       c.mailed_at IS NOT NULL AS mailed, c.typed_at IS NOT NULL AS typed,
       request_is_open(r) AS open, coalesce(r.campaign_id, 0) AS campaign_id,
       r.activated_at IS NOT NULL AS activated,
       coalesce(r.submission::text, '') AS submission,
       CASE WHEN n.purpose = 'activate' AND coalesce(n.bounce, 'late') IN ('late', 'complaint') THEN n.email ELSE '' END AS pending,
       coalesce((SELECT CASE WHEN u.bounce IN ('gone', 'full or policy') OR u.void_at IS NOT NULL AND u.mailed_at IS NULL AND u.refusal <> '' THEN u.email END
           FROM code u WHERE u.request_id = r.id AND u.purpose = 'activate' ORDER BY u.generation DESC LIMIT 1), '') AS unreached,
       r.other_addresses,
       EXISTS (SELECT FROM request_code o WHERE o.space_id = s.id AND is_open(o) AND o.email_key = c.email_key
               AND (o.expires_at IS NULL OR o.expires_at > (SELECT bascule_now()))) AS renewed,
       coalesce(c.expires_at <= CASE WHEN c.void_at IS NULL THEN (SELECT bascule_now()) WHEN c.void_at = r.expired_at THEN c.void_at END, false) AS late,
       coalesce(n.expires_at > (SELECT bascule_now()), true) AS pending_stands,
       EXISTS (SELECT FROM code i WHERE i.request_id = r.id AND i.purpose = 'identify'
               AND (i.void_at IS NULL OR i.void_at = r.activated_at)) AS contact_stands,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       coalesce(s.password_hash, '') AS password_hash
FROM found JOIN code c USING (request_id, generation)
JOIN request r ON r.id = c.request_id
JOIN code n ON n.request_id = r.id AND n.generation = r.generation
JOIN space s ON s.id = r.space_id
