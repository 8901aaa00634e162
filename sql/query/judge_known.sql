-- What the database tells of the rows without a verdict: the one judge of dry runs and real ones (D2, D9, D17).
-- $1 seconds is --within, 0 for all; $2 the column of the address; $3 the instant: who is overdue then counts as expired. --within counts days in Paris, whatever becomes of summer time.
WITH horizon AS MATERIALIZED (
    SELECT CASE WHEN $1::float8 > 0 THEN ($3::timestamptz AT TIME ZONE 'Europe/Paris' + make_interval(secs => $1))::date ELSE 'infinity' END AS day
), clash AS MATERIALIZED (
    SELECT t.line, min(x.number) AS number
    FROM staged t JOIN space x ON x.serial = t.serial AND lower(x.issuer) = lower(t.issuer) AND x.number <> t.number
    WHERE t.verdict IS NULL
    GROUP BY t.line
), named AS (
    SELECT t.line, x.id, x.made_at, x.reason FROM staged t JOIN exclusion x ON x.kind = 'address' AND x.key = t.email_key
    WHERE t.verdict IS NULL AND x.ends_at > $3
    UNION ALL
    SELECT t.line, x.id, x.made_at, x.reason FROM staged t JOIN exclusion x ON x.kind = 'domain' AND x.key = split_part(t.email_key, '@', 2)
    WHERE t.verdict IS NULL AND x.ends_at > $3
    UNION ALL
    SELECT t.line, x.id, x.made_at, x.reason FROM staged t JOIN exclusion x ON x.kind = 'number' AND x.key = t.number
    WHERE t.verdict IS NULL AND x.ends_at > $3
), left_alone AS MATERIALIZED (
    SELECT DISTINCT ON (line) line, 'à ne pas inviter (exclusion du ' || to_char(made_at AT TIME ZONE 'Europe/Paris', 'DD/MM/YYYY') || ') : '
           || CASE reason WHEN 'complaint' THEN 'plainte du destinataire' ELSE reason END AS reason
    FROM named ORDER BY line, id
)
UPDATE staged s
SET verdict = j.verdict, space_id = j.space_id, request_id = j.request_id, action = j.action,
    cell = CASE WHEN j.verdict = 'rejected' THEN $2 || s.line ELSE '' END,
    reason = j.reason
FROM (
    SELECT t.line, k.id AS space_id, o.id AS request_id,
           CASE
               WHEN t.expires > horizon.day THEN 'not_due'
               WHEN k.access = 'password' THEN 'unchanged'
               WHEN left_alone.line IS NOT NULL THEN 'excluded'
               WHEN k.contents = t.contents::uuid AND (t.companies IS NULL OR t.companies = k.companies) THEN 'unchanged'
               WHEN taken.id IS NOT NULL THEN 'rejected'
               WHEN o.purpose = 'activate' THEN 'unchanged'
               ELSE 'accepted'
           END AS verdict,
           CASE
               WHEN t.expires > horizon.day
                   THEN 'le certificat expire le ' || to_char(t.expires, 'DD/MM/YYYY') || ', au-delà du délai demandé'
               WHEN k.access = 'password' THEN 'cet espace est déjà sans certificat'
               WHEN left_alone.line IS NOT NULL THEN left_alone.reason
               WHEN k.contents = t.contents::uuid AND (t.companies IS NULL OR t.companies = k.companies) THEN 'déjà connu, sans changement'
               WHEN taken.id IS NOT NULL THEN 'cette adresse électronique est déjà l''identifiant d''un autre espace sans certificat'
               WHEN o.purpose = 'activate' THEN 'l''abonné a lui-même une demande en cours'
                   || coalesce(', jusqu''au ' || to_char(o.expires_at AT TIME ZONE 'Europe/Paris', 'DD/MM/YYYY "à" FMHH24 "h" MI') || ' (heure de Paris)', '')
               WHEN clash.number IS NOT NULL THEN 'attention : ce certificat est aussi celui de l''espace ' || clash.number
               ELSE ''
           END AS reason,
           CASE
               WHEN k.id IS NULL THEN 'new'
               WHEN o.id IS NULL THEN 'restart'
               WHEN o.email_key <> t.email_key THEN 'redirect'
               ELSE 'update'
           END AS action
    FROM horizon, staged t
    LEFT JOIN space k ON k.number = t.number
    LEFT JOIN request_code o ON o.space_id = k.id AND is_open(o) AND (o.expires_at IS NULL OR o.expires_at > $3)
    LEFT JOIN space taken ON taken.access = 'password' AND taken.email_key = t.email_key AND taken.number <> t.number
    LEFT JOIN clash USING (line)
    LEFT JOIN left_alone USING (line)
    WHERE t.verdict IS NULL
) AS j
WHERE s.line = j.line
