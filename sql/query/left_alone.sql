-- Tells until when the mails $1 stay, and by which exclusion: the instant, or infinity, until which the contact address $2,
-- its domain, the address $3 that gets the mail, or the subscriber number $4 is left alone (D17).
SELECT i.id, x.id AS exclusion, x.ends_at::text AS until
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS i (id, contact_key, email_key, number), LATERAL (
    SELECT x.id, x.ends_at
    FROM (VALUES ('address', i.contact_key), ('address', i.email_key), ('domain', split_part(i.contact_key, '@', 2)), ('number', i.number)) AS n (kind, key)
         JOIN exclusion x ON x.kind = n.kind AND x.key = n.key
    WHERE x.ends_at > (SELECT bascule_now()) ORDER BY x.ends_at DESC LIMIT 1) AS x
WHERE (SELECT EXISTS (SELECT FROM exclusion))
