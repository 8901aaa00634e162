-- Puts the mails $1 off for $2 seconds, and until the instants $3, which may be infinity.
WITH put_off AS (
    UPDATE obligation o SET claim = NULL, claimed_until = NULL, due_at = greatest(i.until, clock.now + make_interval(secs => i.wait))
    FROM unnest($1::bigint[], $2::float8[], $3::timestamptz[]) AS i (id, wait, until), (SELECT bascule_now() AS now) AS clock WHERE o.id = i.id
    RETURNING o.due_at
)
INSERT INTO tally (to_send) SELECT -count(*) FROM put_off WHERE due_at = 'infinity' HAVING count(*) > 0
