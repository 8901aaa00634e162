-- Forgets up to $1 sessions that are over and as many throttles that have leaked empty. A throttle that somebody holds is left
-- for the next time.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), sessions AS (
    DELETE FROM session WHERE token_hash IN (
        SELECT token_hash FROM session WHERE expires_at <= (SELECT now FROM clock) LIMIT $1)
    RETURNING 1
), throttles AS (
    DELETE FROM throttle WHERE bucket IN (
        SELECT bucket FROM throttle WHERE empty_at <= (SELECT now FROM clock) LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT greatest((SELECT count(*) FROM sessions), (SELECT count(*) FROM throttles))
