-- The relay refuses us: nothing starts until a probe gets through. $1 the reason, $2 seconds to the next probe.
UPDATE breaker
SET opened_at = coalesce(opened_at, (SELECT bascule_now())),
    probe_at = (SELECT bascule_now()) + make_interval(secs => $2),
    reason = $1
