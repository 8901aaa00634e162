-- Gives key $1 up: it makes no code any more.
UPDATE key SET given_up_at = (SELECT bascule_now()) WHERE id = $1 AND given_up_at IS NULL
