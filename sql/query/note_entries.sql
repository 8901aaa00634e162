-- Adds forms with a right code, and those of them that an error of ours failed, to the numbers of the campaigns $1 (D15).
INSERT INTO tally (campaign_id, at, entries, failures)
SELECT i.campaign_id, clock.now, i.entries, i.failures
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS i (campaign_id, entries, failures), (SELECT bascule_now() AS now) AS clock
