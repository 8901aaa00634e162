-- Reads what the mails $1 of the codes ($2, $3) of the spaces $4 tell, and locks the codes. Codes that somebody holds,
-- perhaps an import, are left out: no deadline counts while we wait. Spaces that share a contact address are counted once
-- for each address, and only as far as a mail tells (D2).
-- left_until is the instant until which the contact is left alone. It does not concern an address that the subscriber
-- chose: its mail was asked for (D17).
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), mail AS MATERIALIZED (
    SELECT i.id, c.ctid AS code_place, c.purpose, c.email, c.email_key, c.key_id, c.nonce, c.tag, c.started_at, c.expires_at, c.mailed_at, c.void_at,
           s.number, s.holder, s.contact_email, s.contact_key, s.serial, s.issuer, s.certificate_expires, s.access
    FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[]) AS i (id, request_id, generation, space_id)
    JOIN code c ON c.request_id = i.request_id AND c.generation = i.generation
    JOIN space s ON s.id = i.space_id
    FOR NO KEY UPDATE OF c SKIP LOCKED
), contact AS MATERIALIZED (
    SELECT k.contact_key,
           (SELECT count(*) FROM (
               SELECT FROM space x WHERE x.contact_key = k.contact_key AND x.access = 'certificate' LIMIT 1001) AS counted) AS sharing,
           EXISTS (SELECT FROM space x WHERE x.email_key = k.contact_key AND x.access = 'password') AS taken
    FROM (SELECT DISTINCT contact_key FROM mail WHERE purpose IN ('identify', 'activate')) AS k
)
SELECT m.id, m.code_place, m.key_id, m.nonce, m.tag, m.purpose = 'activate' AS is_chosen, m.email AS recipient,
       m.number, m.holder, m.contact_email, m.serial, m.issuer, m.certificate_expires, m.access,
       coalesce(k.sharing, 1) AS sharing, coalesce(k.taken, false) AS taken, m.started_at IS NOT NULL AS started,
       m.void_at IS NULL AND m.mailed_at IS NULL AND coalesce(m.expires_at > (SELECT now FROM clock), true) AS good,
       CASE WHEN m.purpose = 'identify' AND (SELECT EXISTS (SELECT FROM exclusion)) THEN (
           SELECT max(x.ends_at)::text
           FROM (VALUES ('address', m.contact_key), ('address', nullif(m.email_key, m.contact_key)), ('domain', split_part(m.contact_key, '@', 2)), ('number', m.number)) AS n (kind, key)
           JOIN exclusion x ON x.kind = n.kind AND x.key = n.key AND x.ends_at > (SELECT now FROM clock)) END AS left_until
FROM mail m LEFT JOIN contact k ON k.contact_key = m.contact_key AND m.purpose IN ('identify', 'activate')
