-- Forgets sessions that are over and throttles that have leaked empty.
WITH sessions AS (
    DELETE FROM session WHERE expires_at <= (SELECT bascule_now())
)
DELETE FROM throttle WHERE empty_at <= (SELECT bascule_now())
