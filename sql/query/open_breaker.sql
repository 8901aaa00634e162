-- The relay refuses us: nothing starts until a probe gets through. $1 the reason, $2 the obligations that met it, $3 seconds to the next probe.
UPDATE breaker
SET opened_at = coalesce(opened_at, (SELECT bascule_now())),
    probe_at = (SELECT bascule_now()) + make_interval(secs => $3),
    reason = $1, unclear = '{}',
    suspects = CASE WHEN opened_at IS NULL THEN $2 ELSE suspects END
