-- Keeps the claims $2 of token $1 for $3 seconds more.
UPDATE obligation SET claimed_until = (SELECT bascule_now()) + make_interval(secs => $3)
WHERE id = ANY ($2) AND claim = $1
