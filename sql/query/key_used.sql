-- Tells whether key $1 is one of this database's: it is known, a code names it, or the audit log tells that it was
-- replaced.
SELECT EXISTS (SELECT FROM key WHERE id = $1) OR EXISTS (SELECT FROM code WHERE key_id = $1)
    OR EXISTS (SELECT FROM audit WHERE event IN ('code reissued', 'password code void') AND why = 'key ' || $1::text)
