-- Counts the password spaces at which strangers' guesses were stopped within the last hour.
SELECT count(*) FROM siege WHERE last_at > (SELECT bascule_now()) - interval '1 hour'
