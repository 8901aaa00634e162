-- Keeps the claims of the mails $2 by the tokens $1 for $3 seconds more. Rows that the holder starts or finishes at the moment are left out.
WITH held AS MATERIALIZED (
    SELECT o.id FROM unnest($1::uuid[], $2::bigint[]) AS i (token, id) JOIN obligation o ON o.id = i.id AND o.claim = i.token
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE obligation SET claimed_until = (SELECT bascule_now()) + make_interval(secs => $3)
WHERE id IN (SELECT id FROM held)
