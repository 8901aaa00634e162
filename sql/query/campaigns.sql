-- Lists the campaigns, newest first, with the numbers of their invitations.
SELECT c.id, c.name, c.state, c.why, c.created_at,
       coalesce(t.requests, 0) AS requests, coalesce(t.held, 0) AS held, coalesce(t.activated, 0) AS activated
FROM campaign c LEFT JOIN (
    SELECT campaign_id AS id, sum(requests) AS requests, sum(held) AS held, sum(activated) AS activated FROM tally GROUP BY campaign_id
) AS t USING (id)
ORDER BY c.id DESC
