-- Tells what retry and resend would do at instant $2 after the latest request of space $1, which campaign holds it,
-- and when its campaign invites again, if it is running.
SELECT retry_obstacle(r, s, $2, false, true, true) AS retry, retry_obstacle(r, s, $2, true, true, true) AS retry_same_address,
       r.campaign_id IS NOT NULL AND NOT campaign_is_open(r.campaign_id) AS over,
       coalesce(r.resends, 0) AS resends,
       coalesce(code_left_alone(r, $2), false) AS left_alone,
       coalesce(r.purpose = 'activate', false) AS chose, coalesce(r.purpose = 'activate' AND r.email_key <> s.contact_key, false) AS chose_other,
       coalesce(c.name, '') AS campaign, coalesce(c.state, '') AS campaign_state, coalesce(i.at, 'epoch') AS invites_at
FROM space s LEFT JOIN request_code r ON r.id = (SELECT max(id) FROM request WHERE space_id = s.id)
     LEFT JOIN held h ON h.request_id = r.id LEFT JOIN campaign c ON c.id = h.campaign_id
     LEFT JOIN reinvitation i ON i.request_id = r.id AND EXISTS (SELECT FROM campaign o WHERE o.id = i.campaign_id AND o.state = 'running')
WHERE s.id = $1
