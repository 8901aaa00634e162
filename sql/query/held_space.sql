-- Space $1 as it stands now that it is locked, with its open request.
SELECT bascule_now() AS now,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       coalesce(o.id, 0) AS request_id,
       coalesce(o.submission::text, '') AS submission,
       coalesce(o.chosen_email, o.contact_email, '') AS current_email,
       coalesce(o.bounce <> 'late', false) AS bounced,
       coalesce(request_current(o) = o.generation, false) AS latest,
       coalesce(o.started_at, 'epoch') AS started_at,
       coalesce(o.expires_at, 'epoch') AS expires_at
FROM space s
LEFT JOIN request o ON o.space_id = s.id AND request_is_open(o)
WHERE s.id = $1
