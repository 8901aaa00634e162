-- Lists the priorities of the invitations that campaign $1 holds, the first first.
SELECT p FROM generate_series(1, 9) AS p WHERE EXISTS (SELECT FROM held WHERE campaign_id = $1 AND priority = p) ORDER BY p
