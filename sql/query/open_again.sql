-- Opens further requests of known spaces, for batch $1, as judged in round $2. A space with another request opened since
-- gets none. Requests belong to campaign $3 if $4 (somebody named it). Otherwise they belong to the campaign of their
-- space's latest request; if that is not open, to $3 (D12).
INSERT INTO request (id, space_id, batch_id, campaign_id, origin, requested_at) OVERRIDING SYSTEM VALUE
SELECT j.request_id, j.space_id, $1, coalesce(c.id, $3), 'import', (SELECT bascule_now())
FROM judged j LEFT JOIN LATERAL (
    SELECT l.campaign_id AS id
    FROM (SELECT r.campaign_id FROM request r WHERE r.space_id = j.space_id ORDER BY r.id DESC LIMIT 1) AS l
    WHERE NOT $4 AND campaign_is_open(l.campaign_id)
) AS c ON true
WHERE j.round = $2 AND j.verdict = 'accepted' AND j.action = 'restart'
ORDER BY j.request_id
ON CONFLICT DO NOTHING
