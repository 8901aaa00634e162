-- Counts the mails that went out in the last minute and those still to go, and reads the breaker.
SELECT coalesce(sum(t.sent) FILTER (WHERE t.at > clock.now - interval '1 minute'), 0) AS last_minute,
       coalesce(sum(t.to_send), 0) AS to_send, coalesce(sum(t.held), 0) AS held,
       coalesce(sum(t.held) FILTER (WHERE t.campaign_id IN (SELECT id FROM campaign WHERE state = 'running')), 0) AS leaving, coalesce(sum(t.to_render), 0) AS to_render,
       (SELECT reason FROM breaker) AS breaker
FROM (SELECT bascule_now() AS now) AS clock LEFT JOIN tally t ON true
