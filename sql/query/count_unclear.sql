-- Counts the recipients refused without a clear reason since the last success, if $1 mails were. A recipient of whom more
-- is known does not count.
WITH open AS MATERIALIZED (
    SELECT id FROM obligation WHERE blame = 'open'
), refused AS (
    SELECT o.blame, CASE WHEN o.kind IN ('code', 'reminder', 'reset', 'expired', 'identifier', 'identifier-notice') THEN c.email_key
                         WHEN o.kind IN ('notice', 'switch-notice') THEN s.contact_key ELSE s.email_key END AS recipient
    FROM obligation o JOIN space s ON s.id = o.space_id JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    WHERE o.blame IN ('open', 'excused', 'own') AND (SELECT count(*) FROM open) >= $1
)
SELECT count(*) FROM (
    SELECT FROM refused GROUP BY recipient HAVING bool_and(blame = 'open')
) AS recipients
