-- Tells whether more than $2 invitations of campaign $1 are not mailed.
SELECT coalesce(sum(requested), 0) > $2 FROM tally WHERE campaign_id = $1
