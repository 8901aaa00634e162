-- How many recipients were refused without a clear reason since the last success, if $1 mails were. A recipient of whom
-- more is known has no voice.
WITH open AS MATERIALIZED (
    SELECT id FROM obligation WHERE blame = 'open'
), refused AS (
    SELECT o.blame, CASE WHEN o.kind = 'code' AND r.chosen_key IS NOT NULL AND o.generation = r.generation OR o.kind IN ('confirmation', 'reset', 'password-notice', 'siege-notice')
                         THEN coalesce(r.chosen_key, r.contact_key) ELSE r.contact_key END AS recipient
    FROM obligation o JOIN request r ON r.id = o.request_id
    WHERE o.blame IN ('open', 'excused', 'own') AND (SELECT count(*) FROM open) >= $1
)
SELECT count(*) FROM (
    SELECT FROM refused GROUP BY recipient HAVING bool_and(blame = 'open')
) AS recipients
