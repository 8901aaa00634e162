-- Lists the latest request of each space, and what keeps retry from another one (D10). $1 is the batch and $3 the campaign,
-- 0 for any. $2 is --same-address, $4 tells whether the new requests are of a campaign that is named.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), latest AS (
    SELECT DISTINCT ON (space_id) id FROM request ORDER BY space_id, id DESC
)
SELECT s.number, r.id AS request_id, request_state(r, clock.now) AS state, retry_obstacle(r, s, clock.now, $2, false, $4) AS retry_obstacle
FROM latest JOIN request_code r ON r.id = latest.id JOIN space s ON s.id = r.space_id, clock
WHERE ($1 = 0 OR r.batch_id = $1) AND ($3 = 0 OR r.campaign_id = $3)
ORDER BY r.id
