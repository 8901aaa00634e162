-- How many mails went out in the last minute, how many are still to go, and the breaker.
SELECT coalesce(sum(t.sent) FILTER (WHERE t.at > clock.now - interval '1 minute'), 0) AS last_minute,
       coalesce(sum(t.to_send), 0) AS to_send, coalesce(sum(t.to_render), 0) AS to_render,
       (SELECT reason FROM breaker) AS breaker
FROM (SELECT bascule_now() AS now) AS clock LEFT JOIN tally t ON true
