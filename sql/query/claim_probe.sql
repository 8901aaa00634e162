-- Lets one of all the workers probe an open breaker, once in $1 seconds.
WITH probe AS (
    UPDATE breaker SET probe_at = (SELECT bascule_now()) + make_interval(secs => $1)
    WHERE opened_at IS NOT NULL AND probe_at <= (SELECT bascule_now())
    RETURNING 1
)
SELECT opened_at IS NOT NULL AS open, EXISTS (SELECT FROM probe) AS probe FROM breaker
