-- Expires the overdue requests of the staged spaces: an index cannot read the clock.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT expire_requests(coalesce((
    SELECT array_agg(id) FROM (
        SELECT r.id
        FROM staged s JOIN space k ON k.number = s.number JOIN request r ON r.space_id = k.id
        WHERE s.verdict IS NULL AND request_is_open(r) AND r.expires_at <= (SELECT now FROM clock)
        ORDER BY r.id -- all who lock several requests do so in this order
        FOR UPDATE OF r) AS held), '{}'),
    (SELECT now FROM clock), $1)
