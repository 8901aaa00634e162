-- Keeps the claims $2 of token $1 for $3 seconds more. Rows that the holder starts or finishes at the moment are left out.
WITH held AS MATERIALIZED (
    SELECT id FROM obligation WHERE id = ANY ($2) AND claim = $1
    FOR UPDATE SKIP LOCKED
)
UPDATE obligation SET claimed_until = (SELECT bascule_now()) + make_interval(secs => $3)
WHERE id IN (SELECT id FROM held)
