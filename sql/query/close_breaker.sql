-- Mail flows again.
UPDATE breaker SET opened_at = NULL, probe_at = NULL, reason = '', suspects = '{}', unclear = '{}'
WHERE opened_at IS NOT NULL
