-- Counts the spaces that batch $1 or campaign $2 asked to move (0 for any), as they stand at instant $3. There are four
-- kinds of rows: all spaces, those of a month of expiry, of a domain of contact addresses, and of an issuer. A space counts
-- once, by its latest request among them. Once it is switched, it counts as switched, whatever request did so. Overdue
-- requests count as expired.
WITH asked AS (
    SELECT r.space_id, max(r.id) AS id, bool_or(c.mailed_at IS NOT NULL) AS was_mailed
    FROM request r JOIN code c ON c.request_id = r.id AND c.purpose <> 'reset'
    WHERE ($1::bigint = 0 OR r.batch_id = $1) AND ($2::bigint = 0 OR r.campaign_id = $2)
    GROUP BY r.space_id
), stood AS (
    SELECT date_trunc('month', s.certificate_expires)::date AS month, split_part(s.contact_key, '@', 2) AS domain, s.issuer,
           a.was_mailed OR s.access = 'password' AS invited,
           CASE WHEN s.access = 'password' THEN 'switched'
                WHEN r.undeliverable_at IS NOT NULL OR r.cancelled_at IS NULL AND r.bounce = 'gone' OR request_not_delivered(r, $3)
                    THEN 'unreachable'
                ELSE request_state(r, $3) END AS fate
    FROM asked a JOIN request_code r ON r.id = a.id JOIN space s ON s.id = a.space_id
)
SELECT CASE GROUPING(month, domain, issuer) WHEN 3 THEN 'month' WHEN 5 THEN 'domain' WHEN 6 THEN 'issuer' ELSE '' END AS kind,
       coalesce(month, 'epoch') AS month, coalesce(domain, issuer, '') AS name, count(*) AS spaces, count(*) FILTER (WHERE invited) AS invited,
       count(*) FILTER (WHERE fate = 'switched') AS switched, count(*) FILTER (WHERE fate = 'requested') AS to_invite,
       count(*) FILTER (WHERE fate = 'mailed') AS open, count(*) FILTER (WHERE fate = 'expired') AS late,
       count(*) FILTER (WHERE fate = 'unreachable') AS unreachable, count(*) FILTER (WHERE fate = 'cancelled') AS cancelled
FROM stood
GROUP BY GROUPING SETS ((), (month), (domain), (issuer))
ORDER BY 1, 2, 4 DESC, 3
