-- Gives the claims $2 of token $1 back, uncounted: they were not started.
UPDATE obligation SET claim = NULL, claimed_until = NULL
WHERE id = ANY ($2) AND claim = $1
