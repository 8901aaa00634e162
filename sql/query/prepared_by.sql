-- Tells whether $2 prepared one of the campaigns $1: imported or corrected rows, or wrote its message (D18). The tally tells
-- the files whose rows are in a campaign, though the file may belong to another one by now, or have been imported there.
SELECT EXISTS (SELECT FROM import WHERE actor = $2 AND accepted > 0 AND batch_id IN (
           SELECT id FROM batch WHERE campaign_id = ANY ($1) UNION SELECT batch_id FROM tally WHERE campaign_id = ANY ($1)))
    OR EXISTS (SELECT FROM campaign_audit WHERE campaign_id = ANY ($1) AND actor = $2 AND event = 'message changed')
