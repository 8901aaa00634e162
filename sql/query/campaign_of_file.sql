-- Finds the open campaign that a file belongs to if nobody names one (D12). The first choice is the campaign of the file
-- with the same hash $1. The second is the campaign of most spaces' latest requests. The third is the campaign in which
-- most rows of the file were rejected.
SELECT id, name, state FROM (
    SELECT 1 AS choice, b.campaign_id AS id, 1 AS rows FROM batch b WHERE b.sha256 = $1
    UNION ALL
    SELECT 2, l.campaign_id, count(*)
    FROM judged j, LATERAL (SELECT r.campaign_id FROM request r WHERE r.space_id = j.space_id ORDER BY r.id DESC LIMIT 1) AS l
    WHERE j.action IS DISTINCT FROM 'new' GROUP BY 2
    UNION ALL
    SELECT 3, n.campaign_id, count(*) FROM rejected_before n WHERE n.same_number GROUP BY 2
) AS found JOIN campaign c USING (id)
WHERE campaign_is_open(c.id)
ORDER BY choice, rows DESC, id DESC LIMIT 1
