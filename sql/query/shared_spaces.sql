-- The spaces of campaign $1 whose contact address at least $2 of them share, address by address: those whose latest request is of the
-- campaign and not cancelled, that are not switched, and that nobody leaves alone (D17).
SELECT number, holder, contact_email, certificate_expires, sharing
FROM (
    SELECT s.number, s.holder, s.contact_email, s.contact_key, s.certificate_expires, count(*) OVER (PARTITION BY s.contact_key) AS sharing
    FROM request r JOIN space s ON s.id = r.space_id
    WHERE r.campaign_id = $1 AND r.cancelled_at IS NULL AND r.id = (SELECT max(l.id) FROM request l WHERE l.space_id = r.space_id)
      AND s.access = 'certificate' AND NOT left_alone(s.id, (SELECT bascule_now()))
) AS of_campaign
WHERE sharing >= $2
ORDER BY contact_key, number
