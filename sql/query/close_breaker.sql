-- Mail flows again. If $1, a mail that was no suspect got through: the suspects are to blame for themselves, until they are done.
UPDATE breaker SET opened_at = NULL, probe_at = NULL, reason = '', suspects = '{}', unclear = '{}',
    blamed = ARRAY(
        SELECT o.id FROM obligation o
        WHERE o.id = ANY (CASE WHEN $1 THEN blamed || suspects ELSE blamed END) AND o.kind <> 'expiry')
WHERE opened_at IS NOT NULL
