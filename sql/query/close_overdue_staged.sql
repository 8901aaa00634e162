-- Expires the overdue requests of the staged spaces: an index cannot read the clock.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT expire_requests(coalesce((
    SELECT array_agg(r.id ORDER BY r.id)
    FROM staged s JOIN space k ON k.number = s.number JOIN request r ON r.space_id = k.id
    WHERE s.verdict IS NULL AND request_is_open(r) AND r.expires_at <= (SELECT now FROM clock)), '{}'),
    (SELECT now FROM clock), $1)
