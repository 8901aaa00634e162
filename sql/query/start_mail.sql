-- Starts the hand-over of mails under token $2, which holds them for $3 seconds. The mails are locked, so their rows are
-- still at the places $1. Those of the ids $4 are of no campaign any more: a subscriber has chosen their address (D12).
UPDATE obligation o
SET claim = $2, claimed_until = clock.now + make_interval(secs => $3), started_at = clock.now, message_date = coalesce(o.message_date, clock.now),
    interruptions = o.interruptions + (o.started_at IS NOT NULL)::int,
    campaign_id = CASE WHEN o.id = ANY ($4::bigint[]) THEN NULL ELSE o.campaign_id END
FROM (SELECT bascule_now() AS now) AS clock
WHERE o.ctid = ANY ($1::tid[])
RETURNING o.id, o.message_date
