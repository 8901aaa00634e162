-- Records that somebody typed the code of request $1, generation $2, for the first time: no reminder follows (D16). Skips
-- the code if somebody holds it: nobody waits, and a later time or none records it.
UPDATE code c SET typed_at = (SELECT bascule_now())
WHERE (c.request_id, c.generation) IN (
    SELECT request_id, generation FROM code WHERE request_id = $1 AND generation = $2 AND typed_at IS NULL AND void_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED)
