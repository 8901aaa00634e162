-- Counts the invitations of campaign $1 that have not started, by priority and expiry, and those that are left alone (D17).
-- The latter are found from the exclusions, which are fewer than the invitations of a campaign.
WITH alone AS MATERIALIZED (
    SELECT s.id FROM exclusion x JOIN space s ON s.number = x.key WHERE x.kind = 'number' AND x.ends_at > (SELECT bascule_now())
    UNION
    SELECT s.id FROM exclusion x JOIN space s ON s.contact_key = x.key WHERE x.kind = 'address' AND x.ends_at > (SELECT bascule_now())
    UNION
    SELECT s.id FROM exclusion x JOIN space s ON split_part(s.contact_key, '@', 2) = x.key
    WHERE x.kind = 'domain' AND x.ends_at > (SELECT bascule_now())
), released AS MATERIALIZED (
    SELECT s.id, s.priority, s.certificate_expires AS expires FROM obligation o JOIN space s ON s.id = o.space_id
    WHERE o.lane = 'bulk' AND o.campaign_id = $1 AND o.kind = 'code' AND o.copy = 0 AND o.started_at IS NULL
), part AS (
    SELECT false AS released, priority, expires, count(*) AS mails, 0 AS alone FROM held WHERE campaign_id = $1 GROUP BY priority, expires
    UNION ALL
    SELECT false, h.priority, h.expires, 0, count(*) FROM alone a JOIN request r ON r.space_id = a.id JOIN held h ON h.request_id = r.id
    WHERE h.campaign_id = $1 GROUP BY h.priority, h.expires
    UNION ALL
    SELECT true, priority, expires, count(*), count(*) FILTER (WHERE id IN (SELECT id FROM alone)) FROM released GROUP BY priority, expires
)
SELECT released, priority, expires, sum(mails) AS mails, sum(alone) AS alone FROM part GROUP BY released, priority, expires
