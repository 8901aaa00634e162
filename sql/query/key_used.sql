-- Whether a code was ever made with key $1, as far as is known.
SELECT EXISTS (SELECT FROM request WHERE key_id = $1) OR EXISTS (SELECT FROM reset WHERE key_id = $1)
    OR EXISTS (SELECT FROM audit WHERE event IN ('code reissued', 'password code void') AND why = 'key ' || $1::text)
