-- The relay was to blame for the refusals of the obligations $1, not the addresses.
UPDATE obligation SET attempts = greatest(0, attempts - 1), due_at = (SELECT bascule_now()) + make_interval(secs => $2)
WHERE id = ANY ($1) AND claim IS NULL
