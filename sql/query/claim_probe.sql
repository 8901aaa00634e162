-- Lets one of all the workers probe an open breaker, once in $1 seconds. A probe that is far ahead is due: the clock was set
-- back. (Who waited for this row has an older clock than who changed it, by less than $1 seconds.)
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), probe AS (
    UPDATE breaker SET probe_at = clock.now + make_interval(secs => $1) FROM clock
    WHERE opened_at IS NOT NULL AND (probe_at <= clock.now OR probe_at > clock.now + 2 * make_interval(secs => $1))
    RETURNING 1
)
SELECT opened_at IS NOT NULL AS open, EXISTS (SELECT FROM probe) AS probe FROM breaker
