-- Opens the breaker for reason $1: the relay refuses us, so nothing starts until a probe gets through. The next probe is in
-- $2 seconds.
UPDATE breaker
SET opened_at = coalesce(opened_at, (SELECT bascule_now())),
    probe_at = (SELECT bascule_now()) + make_interval(secs => $2),
    reason = $1
