-- Holds the invitations of round $1 until their campaign releases them. New spaces' invitations belong to campaign $2,
-- others to their request's campaign.
INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
SELECT j.request_id, 1, j.space_id, CASE j.action WHEN 'new' THEN $2 ELSE (SELECT r.campaign_id FROM request r WHERE r.id = j.request_id) END,
       s.priority, s.expires, CASE j.action WHEN 'restart' THEN invited_until(j.space_id, s.email_key, j.request_id) END
FROM judged j JOIN staged s USING (line)
WHERE j.round = $1 AND j.verdict = 'accepted' AND j.action IN ('new', 'restart')
ORDER BY j.request_id
