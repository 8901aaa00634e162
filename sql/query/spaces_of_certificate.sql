-- Lists the spaces whose certificate has serial number $1, each with its open request. The caller compares the issuer,
-- which is a text of the sheet: a serial number alone never identifies a space. unreached is the address chosen last, if its
-- mail came back or was refused for good.
SELECT s.id, s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       CASE WHEN o.purpose = 'activate' AND coalesce(o.bounce, 'late') IN ('late', 'complaint') THEN o.email ELSE '' END AS chosen_email,
       coalesce((SELECT CASE WHEN u.bounce IN ('gone', 'full or policy') OR u.void_at IS NOT NULL AND u.mailed_at IS NULL AND u.refusal <> '' THEN u.email END
           FROM request q JOIN code u ON u.request_id = q.id
           WHERE q.id = (SELECT max(id) FROM request WHERE space_id = s.id) AND (request_is_open(q) OR q.undeliverable_at IS NOT NULL) AND u.purpose = 'activate'
           ORDER BY u.generation DESC LIMIT 1), '') AS unreached,
       EXISTS (SELECT FROM space x WHERE x.email_key = o.email_key AND x.access = 'password') AS chosen_taken,
       coalesce(o.started_at, 'epoch') AS started_at,
       coalesce(o.expires_at, 'epoch') AS expires_at,
       coalesce(r.other_addresses, 0) AS other_addresses
FROM space s
LEFT JOIN request_code o ON o.space_id = s.id AND is_open(o)
    AND (o.expires_at IS NULL OR o.expires_at > (SELECT bascule_now()))
LEFT JOIN request r ON r.id = o.id
WHERE s.serial = $1
ORDER BY s.id
LIMIT 100
