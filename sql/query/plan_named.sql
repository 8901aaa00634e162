-- Lists the latest request of each of the numbers $1, each once in their order, and what keeps retry from another one (D10). $2 is
-- --same-address, $3 tells whether the new requests are of a campaign that is named.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
SELECT n.number, coalesce(r.id, 0) AS request_id,
       CASE WHEN r.id IS NULL THEN '' ELSE request_state(r, clock.now) END AS state,
       CASE WHEN s.id IS NULL THEN 'unknown' ELSE retry_obstacle(r, s, clock.now, $2, true, $3) END AS retry_obstacle
FROM clock, (SELECT number, min(place) AS place FROM unnest($1::text[]) WITH ORDINALITY AS u (number, place) GROUP BY number) AS n
LEFT JOIN space s ON s.number = n.number
LEFT JOIN request_code r ON r.id = (SELECT max(id) FROM request WHERE space_id = s.id)
ORDER BY n.place
