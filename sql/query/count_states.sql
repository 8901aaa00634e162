-- Requests by state at instant $2, each counted once; of batch $1, or all where it is 0.
SELECT request_state(r, $2) AS state, count(*) AS count
FROM request r
WHERE $1 = 0 OR r.batch_id = $1
GROUP BY 1
