-- Request $1 as it stands now that it is locked, for the code of generation $2.
SELECT bascule_now() AS now,
       request_is_open(r) AS open,
       r.activated_at IS NOT NULL AS activated,
       coalesce(request_is_open(r) AND c.expires_at > bascule_now()
           AND (c.generation = r.contact_generation OR r.chosen_key IS NOT NULL AND c.generation = r.generation), false) AS valid,
       coalesce(r.submission::text, '') AS submission,
       coalesce(r.chosen_email, '') AS chosen_email,
       coalesce(r.password_hash, '') AS password_hash,
       coalesce(r.question, '') AS question,
       coalesce(r.answer_hash, '') AS answer_hash,
       coalesce(r.bounce <> 'late', false) AS bounced,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access
FROM request r
JOIN space s ON s.id = r.space_id
LEFT JOIN code c ON c.request_id = r.id AND c.generation = $2
WHERE r.id = $1
