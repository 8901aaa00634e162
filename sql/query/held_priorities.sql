-- Lists the priorities of the invitations that campaign $1 holds and that may leave, the first first.
SELECT p FROM generate_series(1, 9) AS p WHERE (SELECT true FROM held WHERE campaign_id = $1 AND priority = p AND not_before IS NULL LIMIT 1) ORDER BY p
