-- Reads request $1 as it stands now that it is locked, for the code of generation $2.
SELECT bascule_now() AS now,
       request_is_open(r) AS open,
       r.activated_at IS NOT NULL AS activated,
       coalesce(request_is_open(r) AND c.void_at IS NULL AND c.expires_at > bascule_now(), false) AS valid,
       coalesce(c.mailed_at IS NOT NULL, false) AS mailed,
       coalesce(r.submission::text, '') AS submission,
       CASE n.purpose WHEN 'activate' THEN n.email ELSE '' END AS chosen_email,
       coalesce(r.password_hash, '') AS password_hash,
       coalesce(r.question, '') AS question,
       coalesce(r.answer_hash, '') AS answer_hash,
       coalesce(n.bounce <> 'late', false) AS bounced,
       coalesce(n.started_at, 'epoch') AS chosen_started_at,
       coalesce(n.expires_at, 'epoch') AS chosen_expires_at,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access
FROM request r
JOIN code n ON n.request_id = r.id AND n.generation = r.generation
JOIN space s ON s.id = r.space_id
LEFT JOIN code c ON c.request_id = r.id AND c.generation = $2
WHERE r.id = $1
