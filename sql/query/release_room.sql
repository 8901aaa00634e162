-- Counts the released mails that wait for a worker, up to $2. For campaign $1, if it has a limit ($3), it counts
-- invitations due within a day that have not started. It also counts those that started today in Paris, and in all. busy
-- tells whether a worker holds one of its invitations, or could.
SELECT clock.now,
       (SELECT count(*) FROM (
           SELECT FROM obligation o WHERE o.lane = 'bulk' AND o.due_at <= clock.now ORDER BY o.due_at, o.id LIMIT $2) AS due) AS waiting,
       own.unstarted, own.busy, t.today, t.total
FROM (SELECT bascule_now() AS now) AS clock, LATERAL (
    SELECT count(*) FILTER (WHERE o.started_at IS NULL) AS unstarted,
           coalesce(bool_or(o.due_at <= clock.now OR o.claimed_until > clock.now), false) AS busy
    FROM obligation o WHERE $3 AND o.lane = 'bulk' AND o.campaign_id = $1 AND o.kind = 'code' AND o.due_at < clock.now + interval '1 day'
) AS own, LATERAL (
    SELECT coalesce(sum(started), 0) AS total,
           coalesce(sum(started) FILTER (WHERE day = (clock.now AT TIME ZONE 'Europe/Paris')::date), 0) AS today
    FROM tally WHERE $3 AND campaign_id = $1
) AS t
