-- Puts the mails $1 off until the instants $2, which may be infinity.
WITH put_off AS (
    UPDATE obligation o SET claim = NULL, claimed_until = NULL, due_at = i.at
    FROM unnest($1::bigint[], $2::timestamptz[]) AS i (id, at) WHERE o.id = i.id
    RETURNING o.due_at
)
INSERT INTO tally (to_send) SELECT -count(*) FROM put_off WHERE due_at = 'infinity' HAVING count(*) > 0
