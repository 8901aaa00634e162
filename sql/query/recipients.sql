-- Lists the $2 domains with the most invitations of campaign $1 that have not started. Four numbers are about all domains:
-- addresses; shared, those with several mails; sharing, the mails of these; largest, the most mails of one address.
SELECT split_part(contact_key, '@', 2) AS domain, sum(n) AS mails, sum(count(*)) OVER () AS addresses,
       sum(count(*) FILTER (WHERE n > 1)) OVER () AS shared, coalesce(sum(sum(n) FILTER (WHERE n > 1)) OVER (), 0) AS sharing,
       max(max(n)) OVER () AS largest
FROM (
    SELECT s.contact_key, count(*) AS n
    FROM (
        SELECT space_id FROM held WHERE campaign_id = $1
        UNION ALL
        SELECT o.space_id FROM obligation o JOIN request r ON r.id = o.request_id AND r.generation = o.generation
        WHERE o.lane = 'bulk' AND o.campaign_id = $1 AND o.kind = 'code' AND o.copy = 0 AND o.started_at IS NULL AND request_is_open(r)
    ) AS pending JOIN space s ON s.id = pending.space_id
    GROUP BY s.contact_key
) AS address
GROUP BY domain ORDER BY mails DESC, domain LIMIT $2
