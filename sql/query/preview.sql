-- Picks invitations that campaign $1 holds, to be looked at. If there are numbers $2, it picks theirs. Otherwise it picks
-- four: the longest holder, a shared address, the latest expiry, and the one that leaves first (D13).
WITH pending AS (
    SELECT h.priority, h.expires, h.request_id, s.id, s.number, s.holder, s.contact_key
    FROM held h JOIN space s ON s.id = h.space_id
    WHERE h.campaign_id = $1 AND (coalesce(cardinality($2::text[]), 0) = 0 OR s.number = ANY ($2::text[]))
), picked AS (
    SELECT id FROM pending WHERE cardinality($2::text[]) > 0
    UNION (SELECT id FROM pending ORDER BY length(holder) DESC, id LIMIT 1)
    UNION (SELECT p.id FROM pending p WHERE EXISTS (
        SELECT FROM space x WHERE x.contact_key = p.contact_key AND x.id <> p.id AND x.access = 'certificate') LIMIT 1)
    UNION (SELECT id FROM pending ORDER BY expires DESC, id LIMIT 1)
    UNION (SELECT id FROM pending ORDER BY priority, expires < (SELECT (bascule_now() AT TIME ZONE 'Europe/Paris')::date), expires, request_id LIMIT 1)
)
SELECT s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access, s.contact_key
FROM space s JOIN picked USING (id) ORDER BY s.number
