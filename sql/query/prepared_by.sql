-- Tells whether $2 prepared one of the campaigns $1: imported or corrected rows, or wrote its message (D18).
SELECT EXISTS (SELECT FROM batch b JOIN import i ON i.batch_id = b.id WHERE b.campaign_id = ANY ($1) AND i.actor = $2 AND i.accepted > 0)
    OR EXISTS (SELECT FROM campaign_audit WHERE campaign_id = ANY ($1) AND actor = $2 AND event = 'message changed')
