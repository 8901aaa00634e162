-- How many mails went out in the last minute, how many are still to go, and the breaker.
SELECT (SELECT count(*) FROM audit a WHERE a.at > clock.now - interval '1 minute'
           AND a.event IN ('mailed', 'resent', 'notice mailed', 'confirmation mailed', 'expired mailed', 'reset mailed', 'dead code mailed',
                           'switch-notice mailed', 'password-notice mailed', 'siege-notice mailed')) AS last_minute,
       (SELECT count(*) FROM obligation o WHERE o.lane IN ('interactive', 'bulk') AND o.due_at < 'infinity') AS to_send,
       (SELECT count(*) FROM obligation o WHERE o.lane = 'recap') AS to_render,
       coalesce(b.reason, '') AS breaker
FROM (SELECT bascule_now() AS now) AS clock, breaker b
