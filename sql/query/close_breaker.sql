-- Closes the breaker: mail flows again.
UPDATE breaker SET opened_at = NULL, probe_at = NULL, reason = ''
WHERE opened_at IS NOT NULL
