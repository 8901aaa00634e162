-- Lists the exclusions that hold now, oldest first, and counts the spaces that each names (D17).
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), domain AS MATERIALIZED ( -- no index has them: one pass for all
    SELECT x.key, count(s.id) AS spaces
    FROM exclusion x, clock, space s
    WHERE x.kind = 'domain' AND x.ends_at > clock.now AND split_part(s.contact_key, '@', 2) = x.key
    GROUP BY x.key
)
SELECT x.kind, x.key, x.reason, x.made_at, x.made_by, nullif(x.ends_at, 'infinity') AS ends_at,
       CASE x.kind
           WHEN 'address' THEN (SELECT count(*) FROM space s WHERE s.contact_key = x.key)
           WHEN 'number' THEN (SELECT count(*) FROM space s WHERE s.number = x.key)
           ELSE coalesce((SELECT d.spaces FROM domain d WHERE d.key = x.key), 0)
       END AS spaces
FROM exclusion x, clock
WHERE x.ends_at > clock.now
ORDER BY x.id
