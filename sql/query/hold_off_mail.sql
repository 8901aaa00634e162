-- Makes the mails $1 due again in $2 seconds: they cannot start now.
UPDATE obligation o SET claim = NULL, claimed_until = NULL, due_at = clock.now + make_interval(secs => i.wait)
FROM unnest($1::bigint[], $2::float8[]) AS i (id, wait), (SELECT bascule_now() AS now) AS clock WHERE o.id = i.id
