-- Replaces the rows of the tally that tell of one batch, campaign and day by their sum, and of the mails of the last minute those of one second,
-- if that makes them fewer. Whoever adds a row meanwhile waits for nothing, and adds to the sum. Lock $1 lets one do it at a time.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() - interval '1 minute' AS minute
), gone AS (
    DELETE FROM tally
    WHERE (SELECT count(*) > count(DISTINCT (t.batch_id, t.campaign_id, t.day, CASE WHEN t.at > clock.minute THEN date_trunc('second', t.at) END)) FROM tally t, clock)
      AND (SELECT pg_try_advisory_xact_lock($1))
    RETURNING *
)
INSERT INTO tally (batch_id, campaign_id, day, at, requests, requested, activated, expired, undeliverable, cancelled, not_delivered,
                   spaces, batch_spaces, batch_switched, campaign_spaces, held, started, to_send, to_render, sent, reminded)
SELECT batch_id, campaign_id, day, CASE WHEN at > clock.minute THEN date_trunc('second', at) END AS second,
       sum(requests), sum(requested), sum(activated), sum(expired), sum(undeliverable), sum(cancelled), sum(not_delivered),
       sum(spaces), sum(batch_spaces), sum(batch_switched), sum(campaign_spaces), sum(held), sum(started), sum(to_send), sum(to_render), sum(sent), sum(reminded)
FROM gone, clock GROUP BY 1, 2, 3, 4
