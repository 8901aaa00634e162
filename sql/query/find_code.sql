-- The request whose code has one of the tags $1.
SELECT c.request_id, c.generation AS code_generation, c.expires_at, r.key_id, r.nonce,
       r.chosen_key IS NOT NULL AND c.generation = r.generation AS is_chosen,
       CASE WHEN r.chosen_key IS NOT NULL AND c.generation = r.generation THEN r.chosen_email ELSE r.contact_email END AS proves,
       coalesce(request_is_open(r) AND c.expires_at > (SELECT bascule_now())
           AND (c.generation = r.contact_generation OR r.chosen_key IS NOT NULL AND c.generation = r.generation), false) AS valid,
       r.mailed_at IS NOT NULL OR c.generation <> r.generation AS mailed,
       r.activated_at IS NOT NULL AS activated,
       coalesce(r.submission::text, '') AS submission,
       r.contact_email AS request_contact,
       coalesce(r.chosen_email, '') AS pending,
       r.contact_generation IS NOT NULL AS contact_stands,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access
FROM code c
JOIN request r ON r.id = c.request_id
JOIN space s ON s.id = r.space_id
WHERE c.tag = ANY ($1)
