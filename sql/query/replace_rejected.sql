-- Deletes rejected rows of earlier files once a row of batch $1, of campaign $2, is the same row: the newer verdict counts.
-- A line alone identifies a row only within a campaign.
DELETE FROM rejected x USING rejected_before b
WHERE x.batch_id = b.batch_id AND x.line = b.line AND x.batch_id <> $1 AND (b.same_number OR b.campaign_id = $2)
