-- Counts the spaces that batch $1 or campaign $2 asked to move (0 for any), as they stand at instant $3. There are four
-- kinds of rows: all spaces, those of a month of expiry, of a domain of contact addresses, and of an issuer. A space counts
-- once, by its latest request among them. Once it is switched, it counts as switched, whatever request did so. Overdue
-- requests count as expired. A space was invited if any of its codes was mailed.
WITH asked AS (
    SELECT DISTINCT ON (r.space_id) r.space_id, bool_or(r.mailed_at IS NOT NULL OR r.generation > 1 AND EXISTS (
               SELECT FROM code c WHERE c.request_id = r.id AND c.purpose <> 'reset' AND c.mailed_at IS NOT NULL)) OVER every AS was_mailed,
           CASE WHEN r.undeliverable_at IS NOT NULL OR r.cancelled_at IS NULL AND r.bounce = 'gone' OR request_not_delivered(r, $3) THEN 'unreachable'
                ELSE request_state(r, $3) END AS fate
    FROM request_code r
    WHERE ($1::bigint = 0 OR r.batch_id = $1) AND ($2::bigint = 0 OR r.campaign_id = $2)
    WINDOW every AS (PARTITION BY r.space_id ORDER BY r.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ORDER BY r.space_id, r.id DESC
), stood AS (
    SELECT date_trunc('month', s.certificate_expires::timestamp)::date AS month, split_part(s.contact_key, '@', 2) AS domain, s.issuer,
           a.was_mailed OR s.access = 'password' AS invited, CASE WHEN s.access = 'password' THEN 'switched' ELSE a.fate END AS fate
    FROM asked a JOIN space s ON s.id = a.space_id
)
SELECT CASE GROUPING(month, domain, issuer) WHEN 3 THEN 'month' WHEN 5 THEN 'domain' WHEN 6 THEN 'issuer' ELSE '' END AS kind,
       coalesce(month, 'epoch') AS month, coalesce(domain, issuer, '') AS name, count(*) AS spaces, count(*) FILTER (WHERE invited) AS invited,
       count(*) FILTER (WHERE fate = 'switched') AS switched, count(*) FILTER (WHERE fate = 'requested') AS to_invite,
       count(*) FILTER (WHERE fate = 'mailed') AS open, count(*) FILTER (WHERE fate = 'expired') AS late,
       count(*) FILTER (WHERE fate = 'unreachable') AS unreachable, count(*) FILTER (WHERE fate = 'cancelled') AS cancelled
FROM stood
GROUP BY GROUPING SETS ((), (month), (domain), (issuer))
ORDER BY 1, 2, 4 DESC, 3
