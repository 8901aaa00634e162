-- Tells whether more than $2 invitations of campaign $1 have not started.
SELECT count(*) > $2 FROM (
    (SELECT FROM held WHERE campaign_id = $1 LIMIT $2 + 1)
    UNION ALL
    (SELECT FROM obligation WHERE lane = 'bulk' AND campaign_id = $1 AND kind = 'code' AND started_at IS NULL LIMIT $2 + 1)) AS waiting
