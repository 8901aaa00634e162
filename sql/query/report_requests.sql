-- Lists the requests as at instant $2. $1 is the batch, $3 the space, $4 the campaign, 0 for any. Instants are seconds
-- since 1970, rounded down. A code whose mail was refused for good has no deadline (D4).
SELECT r.id, s.number, s.holder, r.email, coalesce(r.batch_id, 0),
       request_state(r, $2), r.origin, r.generation, r.in_doubt, r.refusal, s.certificate_expires,
       floor(date_part('epoch', r.requested_at))::bigint, floor(date_part('epoch', r.started_at))::bigint,
       floor(date_part('epoch', r.mailed_at))::bigint, floor(date_part('epoch', CASE WHEN r.undeliverable_at IS NULL THEN r.expires_at END))::bigint,
       floor(date_part('epoch', r.activated_at))::bigint,
       floor(date_part('epoch', coalesce(r.expired_at, r.undeliverable_at, r.cancelled_at,
           CASE WHEN r.activated_at IS NULL AND r.expires_at <= $2 THEN r.expires_at END)))::bigint,
       floor(date_part('epoch', r.bounced_at))::bigint, coalesce(r.bounce, ''), request_not_delivered(r, $2)
FROM request_code r JOIN space s ON s.id = r.space_id
WHERE ($1::bigint = 0 OR r.batch_id = $1) AND ($3::bigint = 0 OR r.space_id = $3) AND ($4::bigint = 0 OR r.campaign_id = $4)
ORDER BY r.id
