-- Expires all overdue requests, of batch $1 or of all where it is 0.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT expire_requests(coalesce((
    SELECT array_agg(r.id ORDER BY r.id) FROM request r
    WHERE request_is_open(r) AND r.expires_at <= (SELECT now FROM clock) AND ($1 = 0 OR r.batch_id = $1)), '{}'),
    (SELECT now FROM clock), $2)
