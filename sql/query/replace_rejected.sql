-- Rows that earlier files did not take are told no more once a row of batch $1, which goes to campaign $2, is the same one: what
-- becomes of that one counts. A line alone tells it only within a campaign.
DELETE FROM rejected x USING rejected_before b
WHERE x.batch_id = b.batch_id AND x.line = b.line AND x.batch_id <> $1 AND (b.same_number OR b.campaign_id = $2)
