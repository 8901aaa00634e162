-- Of all the workers, one may probe an open breaker, once in $1 seconds, with a mail that is likely to get through.
WITH probe AS (
    UPDATE breaker SET probe_at = (SELECT bascule_now()) + make_interval(secs => $1)
    WHERE opened_at IS NOT NULL AND probe_at <= (SELECT bascule_now())
    RETURNING suspects || blamed AS avoid
)
SELECT opened_at IS NOT NULL AS open, EXISTS (SELECT FROM probe) AS probe,
       coalesce((SELECT avoid FROM probe), '{}') AS avoid
FROM breaker
