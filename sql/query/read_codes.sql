-- Reads what the mails $1 of the codes ($2, $3) of the spaces $4 tell, and locks the codes. Codes that somebody holds,
-- perhaps an import, are left out: no deadline counts while we wait.
WITH mail AS MATERIALIZED (
    SELECT i.id, c.ctid AS code_place, c.purpose, c.email, c.email_key, c.key_id, c.nonce, c.tag, c.started_at, c.expires_at, c.mailed_at, c.void_at,
           s.number, s.holder, s.contact_key, s.certificate_expires
    FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[]) AS i (id, request_id, generation, space_id)
    JOIN code c ON c.request_id = i.request_id AND c.generation = i.generation
    JOIN space s ON s.id = i.space_id
    FOR NO KEY UPDATE OF c SKIP LOCKED
)
SELECT id, code_place, key_id, nonce, tag, purpose = 'activate' AS is_chosen, email AS recipient, email_key, number, holder, contact_key,
       certificate_expires, started_at IS NOT NULL AS started,
       void_at IS NULL AND mailed_at IS NULL AND coalesce(expires_at > (SELECT bascule_now()), true) AS good
FROM mail
