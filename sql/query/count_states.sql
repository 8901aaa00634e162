-- Requests by state at instant $2, each counted once, and how many of them were not delivered in time (D11); of batch $1, or all where it is 0.
SELECT request_state(r, $2) AS state, count(*) AS count, count(*) FILTER (WHERE request_not_delivered(r, $2)) AS not_delivered
FROM request_code r
WHERE $1 = 0 OR r.batch_id = $1
GROUP BY 1
