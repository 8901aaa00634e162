-- Allows mails to the addresses $1, to which $2 mails want to start now, at most $3 a day in Paris (D16). Returns how many
-- may start, and when the next day begins. Several spaces share each address, or did today. Other transactions that want to
-- mail it wait for this one. The first of a day counts what the address had already, when one space alone had it. That is
-- the oldest one, so few are looked at.
WITH today AS MATERIALIZED (
    SELECT day, day::timestamp AT TIME ZONE 'Europe/Paris' AS begins
    FROM (SELECT (bascule_now() AT TIME ZONE 'Europe/Paris')::date AS day) AS clock
), wanted AS MATERIALIZED (
    SELECT i.key, i.n, today.day, least($3::int, CASE WHEN EXISTS (SELECT FROM allowance a WHERE a.email_key = i.key AND a.day = today.day) THEN 0 ELSE (
        SELECT count(*) FROM (SELECT id FROM space WHERE contact_key = i.key LIMIT 5) AS s, LATERAL (
            SELECT FROM (SELECT id FROM request r WHERE r.space_id = s.id AND r.campaign_id IS NOT NULL OFFSET 0) AS r,
                 LATERAL (SELECT c.started_at, c.email_key FROM code c WHERE c.request_id = r.id AND c.purpose = 'identify' OFFSET 0) AS c
            WHERE c.email_key = i.key AND c.started_at >= today.begins
            UNION ALL
            SELECT FROM (SELECT e.at, e.event FROM audit e WHERE e.space_id = s.id OFFSET 0) AS e
            WHERE e.event IN ('reminder mailed', 'expired mailed') AND e.at >= today.begins) AS had) END) AS before
    FROM unnest($1::text[], $2::int[]) AS i (key, n), today
), counted AS (
    INSERT INTO allowance AS a (email_key, day, mails, granted)
    SELECT key, day, least(before + n, $3::int), least(n, $3::int - before) FROM wanted ORDER BY key COLLATE "C" -- every statement that locks several uses this order
    ON CONFLICT (email_key, day) DO UPDATE SET mails = least(a.mails + excluded.granted, $3::int), granted = least(excluded.granted, $3::int - a.mails)
    RETURNING email_key, day, granted
)
SELECT email_key, day::text, granted, ((day + 1)::timestamp AT TIME ZONE 'Europe/Paris')::text AS tomorrow FROM counted
