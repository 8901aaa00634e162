-- Counts what the running campaigns did wrong in the last hour and in the last day, since they were started or resumed
-- (D15).
SELECT c.id, c.name, c.watched_from, w.hours,
       coalesce(sum(t.invited), 0) AS mails, coalesce(sum(t.complaints), 0) AS complaints, coalesce(sum(t.dead), 0) AS dead,
       coalesce(sum(t.entries), 0) AS entries, coalesce(sum(t.failures), 0) AS failures
FROM (SELECT bascule_now() AS now) AS clock, campaign c, (VALUES (1), (24)) AS w (hours), tally t
WHERE c.state = 'running' AND t.campaign_id = c.id AND t.at >= c.watched_from AND t.at > clock.now - make_interval(hours => w.hours)
GROUP BY c.id, c.name, w.hours ORDER BY c.id, w.hours
