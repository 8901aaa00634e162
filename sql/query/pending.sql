-- Counts the invitations of campaign $1 that have not started, by priority and expiry, and those that are left alone without
-- end (D17). Others wait for the end. Both are found from the exclusions, which are fewer than the invitations. An address
-- that is to have more than $2 is counted for itself, under a number of its own; all others have the number 0 (D16).
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), alone AS MATERIALIZED (
    SELECT id, max(ends_at) AS ends_at FROM (
        SELECT s.id, x.ends_at FROM clock, exclusion x JOIN space s ON s.number = x.key WHERE x.kind = 'number' AND x.ends_at > now
        UNION ALL
        SELECT s.id, x.ends_at FROM clock, exclusion x JOIN space s ON s.contact_key = x.key WHERE x.kind = 'address' AND x.ends_at > now
        UNION ALL
        SELECT s.id, x.ends_at FROM clock, exclusion x JOIN space s ON split_part(s.contact_key, '@', 2) = x.key WHERE x.kind = 'domain' AND x.ends_at > now) AS named
    GROUP BY id
), invitation AS MATERIALIZED (
    SELECT i.released, greatest(i.not_before, a.ends_at) AS not_before, s.contact_key, s.priority, s.certificate_expires AS expires,
           coalesce(a.ends_at = 'infinity', false) AS alone
    FROM (
        SELECT space_id, false AS released, not_before FROM held WHERE campaign_id = $1
        UNION ALL
        SELECT o.space_id, true, o.due_at FROM obligation o JOIN request r ON r.id = o.request_id AND r.generation = o.generation
        WHERE o.lane = 'bulk' AND o.campaign_id = $1 AND o.kind = 'code' AND o.copy = 0 AND o.started_at IS NULL AND request_is_open(r)
    ) AS i JOIN space s ON s.id = i.space_id LEFT JOIN alone a ON a.id = s.id
), crowded AS MATERIALIZED (
    SELECT contact_key, row_number() OVER (ORDER BY contact_key) AS address
    FROM invitation WHERE NOT alone GROUP BY contact_key HAVING count(*) > $2
)
SELECT i.released, i.priority, i.expires, coalesce(c.address, 0) AS address,
       CASE WHEN i.not_before > clock.now AND i.not_before < 'infinity' THEN (i.not_before AT TIME ZONE 'Europe/Paris')::date ELSE 'epoch' END AS not_before,
       count(*) AS mails, count(*) FILTER (WHERE i.alone) AS alone
FROM clock, invitation i LEFT JOIN crowded c USING (contact_key)
GROUP BY 1, 2, 3, 4, 5
