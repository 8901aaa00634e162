-- Allows mails to the addresses $1, to which $2 mails want to start now, at most $3 a day in Paris (D16). Returns how many
-- may start, and when the next day begins. Several spaces share each address. Other transactions that want to mail it wait
-- for this one.
WITH today AS MATERIALIZED (
    SELECT (bascule_now() AT TIME ZONE 'Europe/Paris')::date AS day
), wanted AS MATERIALIZED (
    SELECT key, n FROM unnest($1::text[], $2::int[]) AS i (key, n)
), counted AS (
    INSERT INTO allowance AS a (email_key, day, mails, granted)
    SELECT key, day, least(n, $3::int), least(n, $3::int) FROM wanted, today ORDER BY key COLLATE "C" -- every statement that locks several uses this order
    ON CONFLICT (email_key, day) DO UPDATE SET mails = least(a.mails + excluded.mails, $3::int), granted = least(excluded.mails, $3::int - a.mails)
    RETURNING email_key, day, granted
)
SELECT email_key, day::text, granted, ((day + 1)::timestamp AT TIME ZONE 'Europe/Paris')::text AS tomorrow FROM counted
