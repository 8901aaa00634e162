-- How many password spaces had strangers' guesses stopped within the last hour.
SELECT count(*) FROM siege WHERE last_at > (SELECT bascule_now()) - interval '1 hour'
