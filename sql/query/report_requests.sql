-- One row for each request of batch $1, or of all where it is 0.
SELECT r.id, s.number, s.holder, r.email, coalesce(r.batch_id, 0) AS batch,
       request_state(r, $2) AS state, r.origin, r.generation, r.in_doubt, r.refusal, s.certificate_expires,
       r.requested_at, r.started_at, r.mailed_at, r.expires_at, r.activated_at, r.bounced_at, coalesce(r.bounce, '') AS bounce,
       request_not_delivered(r, $2) AS not_delivered,
       coalesce(r.expired_at, r.undeliverable_at, r.cancelled_at, CASE WHEN r.activated_at IS NULL AND r.expires_at <= $2 THEN r.expires_at END) AS ended_at
FROM request_code r JOIN space s ON s.id = r.space_id
WHERE $1 = 0 OR r.batch_id = $1
ORDER BY r.id
