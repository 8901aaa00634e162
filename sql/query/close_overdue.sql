-- Expires all overdue requests, of batch $1 or of all where it is 0.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT expire_requests(coalesce((
    SELECT array_agg(id) FROM (
        SELECT r.id FROM request r
        WHERE request_is_open(r) AND r.expires_at <= (SELECT now FROM clock) AND ($1 = 0 OR r.batch_id = $1)
        ORDER BY r.id -- all who lock several requests do so in this order
        FOR UPDATE) AS held), '{}'),
    (SELECT now FROM clock), $2)
