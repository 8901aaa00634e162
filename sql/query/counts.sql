-- Counts the requests of batch $1, of campaign $2, or of all if both are 0, by their state at instant $3, and the requests
-- not delivered in time (D11). It counts the spaces by access, and the invitations that are held, that started in all and
-- today, and that are to come. Overdue requests count as expired. rows and files are those handed in for the campaign.
SELECT t.requested - o.requested AS requested,
       t.requests - t.requested - t.activated - t.expired - t.undeliverable - t.cancelled - o.mailed AS mailed,
       t.activated, t.expired + o.requested + o.mailed AS expired, t.undeliverable, t.cancelled, t.not_delivered + o.late AS not_delivered,
       CASE WHEN $1 <> 0 THEN t.batch_spaces - t.batch_switched WHEN $2 <> 0 THEN t.campaign_spaces - t.campaign_switched ELSE t.spaces - t.activated END AS certificate,
       CASE WHEN $1 <> 0 THEN t.batch_switched WHEN $2 <> 0 THEN t.campaign_switched ELSE t.activated END AS password,
       t.held, t.again, t.started, t.started_today, t.reminded,
       f.rows, f.files
FROM (
    SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(requested), 0) AS requested, coalesce(sum(activated), 0) AS activated,
           coalesce(sum(expired), 0) AS expired, coalesce(sum(undeliverable), 0) AS undeliverable, coalesce(sum(cancelled), 0) AS cancelled,
           coalesce(sum(not_delivered), 0) AS not_delivered, coalesce(sum(spaces), 0) AS spaces,
           coalesce(sum(batch_spaces), 0) AS batch_spaces, coalesce(sum(batch_switched), 0) AS batch_switched,
           coalesce(sum(campaign_spaces), 0) AS campaign_spaces, coalesce(sum(campaign_switched), 0) AS campaign_switched,
           coalesce(sum(held), 0) AS held, coalesce(sum(again), 0) AS again, coalesce(sum(started), 0) AS started, coalesce(sum(reminded), 0) AS reminded,
           coalesce(sum(started) FILTER (WHERE day = ($3::timestamptz AT TIME ZONE 'Europe/Paris')::date), 0) AS started_today
    FROM tally WHERE ($1::bigint = 0 OR batch_id = $1) AND ($2::bigint = 0 OR campaign_id = $2)
) AS t, (
    SELECT count(*) FILTER (WHERE NOT is_mailed) AS requested, count(*) FILTER (WHERE is_mailed) AS mailed, count(*) FILTER (WHERE is_late) AS late
    FROM overdue($3) WHERE ($1 = 0 OR batch_id = $1) AND ($2 = 0 OR campaign_id = $2)
) AS o, (
    SELECT coalesce(sum(i.rows), 0) AS rows, count(*) AS files FROM batch b,
        LATERAL (SELECT rows FROM import WHERE batch_id = b.id ORDER BY id DESC LIMIT 1) AS i
    WHERE b.campaign_id = $2
) AS f
