-- Counts the requests of batch $1, or of all if it is 0, by their state at instant $2. It also counts requests not
-- delivered in time (D11), and spaces by access. Overdue requests count as expired.
SELECT t.requested - o.requested AS requested,
       t.requests - t.requested - t.activated - t.expired - t.undeliverable - t.cancelled - o.mailed AS mailed,
       t.activated, t.expired + o.requested + o.mailed AS expired, t.undeliverable, t.cancelled,
       t.not_delivered + o.late AS not_delivered,
       CASE $1 WHEN 0 THEN t.spaces - t.activated ELSE t.batch_spaces - t.batch_switched END AS certificate,
       CASE $1 WHEN 0 THEN t.activated ELSE t.batch_switched END AS password
FROM (
    SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(requested), 0) AS requested, coalesce(sum(activated), 0) AS activated,
           coalesce(sum(expired), 0) AS expired, coalesce(sum(undeliverable), 0) AS undeliverable, coalesce(sum(cancelled), 0) AS cancelled,
           coalesce(sum(not_delivered), 0) AS not_delivered,
           coalesce(sum(spaces), 0) AS spaces, coalesce(sum(batch_spaces), 0) AS batch_spaces, coalesce(sum(batch_switched), 0) AS batch_switched
    FROM tally WHERE $1 = 0 OR batch_id = $1
) AS t, (
    SELECT count(*) FILTER (WHERE NOT is_mailed) AS requested, count(*) FILTER (WHERE is_mailed) AS mailed, count(*) FILTER (WHERE is_late) AS late
    FROM overdue($2) WHERE $1 = 0 OR batch_id = $1
) AS o
