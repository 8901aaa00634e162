-- Lists the campaigns that may release invitations now, or whose brakes are looked at.
SELECT c.id FROM campaign c
WHERE c.state = 'running' AND (c.starts_at IS NULL OR c.starts_at <= (SELECT bascule_now()))
  AND (c.pilot IS NOT NULL OR c.min_help IS NOT NULL OR (SELECT true FROM held h WHERE h.campaign_id = c.id AND h.not_before IS NULL LIMIT 1)
       OR (SELECT true FROM held h WHERE h.campaign_id = c.id AND h.not_before <= (SELECT bascule_now()) LIMIT 1))
ORDER BY c.id
