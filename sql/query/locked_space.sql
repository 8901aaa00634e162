-- Reads space $1 as it stands now that it is locked, with its open request.
SELECT bascule_now() AS now,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       coalesce(o.id, 0) AS request_id,
       coalesce(o.submission::text, '') AS submission,
       coalesce(o.email, '') AS current_email,
       coalesce(o.bounce <> 'late', false) AS bounced,
       coalesce(o.started_at, 'epoch') AS started_at,
       coalesce(o.expires_at, 'epoch') AS expires_at
FROM space s
LEFT JOIN request_code o ON o.space_id = s.id AND is_open(o)
WHERE s.id = $1
