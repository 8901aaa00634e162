-- Tells whether campaign $1 has more than $3 invitations that have not started, and whether $2 prepared it: imported or
-- corrected rows, or wrote its message (D18).
SELECT (SELECT count(*) FROM (
           (SELECT FROM held WHERE campaign_id = $1 LIMIT $3 + 1)
           UNION ALL
           (SELECT FROM obligation WHERE lane = 'bulk' AND campaign_id = $1 AND kind = 'code' AND started_at IS NULL LIMIT $3 + 1)) AS waiting) > $3
   AND (EXISTS (SELECT FROM batch b JOIN import i ON i.batch_id = b.id WHERE b.campaign_id = $1 AND i.actor = $2 AND i.accepted > 0)
        OR EXISTS (SELECT FROM campaign_audit WHERE campaign_id = $1 AND actor = $2 AND event = 'message changed'))
