-- Adds up forms with a right code, and how many of them an error of ours failed, for the campaigns $1.
INSERT INTO tally (campaign_id, at, entries, failures)
SELECT i.campaign_id, clock.now, i.entries, i.failures
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS i (campaign_id, entries, failures), (SELECT bascule_now() AS now) AS clock
