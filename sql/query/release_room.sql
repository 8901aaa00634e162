-- How many released mails wait for a worker, counted up to $2. Of campaign $1: how many invitations are due within a day and have not
-- started, whether a worker is at any of them or could be, and how many started today in Paris, and all told.
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
