-- Replaces the rows of the tally of one batch, campaign, day and instant (folded_at) by their sum, if that makes fewer
-- rows. Statements that add rows meanwhile do not wait, and their rows count too. Lock $1 lets one process fold at a time.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), gone AS (
    DELETE FROM tally
    WHERE (SELECT count(*) > count(DISTINCT (t.batch_id, t.campaign_id, t.day, folded_at(t, clock.now))) FROM tally t, clock)
      AND (SELECT pg_try_advisory_xact_lock($1))
    RETURNING tally AS summand
)
INSERT INTO tally (batch_id, campaign_id, day, at, requests, requested, activated, expired, undeliverable, cancelled, not_delivered,
                   spaces, batch_spaces, batch_switched, campaign_spaces, campaign_switched, held, again, started, to_send, to_render, sent,
                   invited, dead, complaints, entries, failures, reminded)
SELECT batch_id, campaign_id, day, folded, sum(requests), sum(requested), sum(activated), sum(expired), sum(undeliverable), sum(cancelled),
       sum(not_delivered), sum(spaces), sum(batch_spaces), sum(batch_switched), sum(campaign_spaces), sum(campaign_switched), sum(held), sum(again), sum(started), sum(to_send),
       sum(to_render), sum(sent), sum(invited), sum(dead), sum(complaints), sum(entries), sum(failures), sum(reminded)
FROM (SELECT (g.summand).*, folded_at(g.summand, clock.now) AS folded FROM gone g, clock) AS g
GROUP BY 1, 2, 3, 4
