-- Tells until when the mails $1 stay: the instant, or infinity, until which the contact address $2, its domain, the address
-- $3 that gets the mail, or the subscriber number $4 is left alone (D17).
SELECT i.id, max(x.until)::text AS until
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS i (id, contact_key, email_key, number),
     LATERAL (VALUES ('address', i.contact_key), ('address', i.email_key), ('domain', split_part(i.contact_key, '@', 2)), ('number', i.number)) AS n (kind, key),
     LATERAL (SELECT max(x.ends_at) AS until FROM exclusion x WHERE x.kind = n.kind AND x.key = n.key AND x.ends_at > (SELECT bascule_now())) AS x
WHERE (SELECT EXISTS (SELECT FROM exclusion)) AND x.until IS NOT NULL
GROUP BY i.id
