-- Judges the rows without a verdict by what the database knows, for dry runs and real ones (D2, D9, D17). $1 seconds is
-- --within (0 for all), counted as days in Paris, whatever summer time does. $2 is the column of the address, $3 the
-- instant, $4 the round. Requests that are overdue at $3 count as expired. $5 tells whether accepted rows get the ids of
-- their spaces and requests. Another address for a request of a campaign that is over is a request of another one (D12).
-- Each row looks up by index what it needs: the tables may hold far more rows than the file.
WITH horizon AS MATERIALIZED (
    SELECT CASE WHEN $1::float8 > 0 THEN ($3::timestamptz AT TIME ZONE 'Europe/Paris' + make_interval(secs => $1))::date ELSE 'infinity' END AS day
)
INSERT INTO judged (line, round, verdict, cell, reason, action, space_id, request_id)
SELECT line, $4, verdict, CASE WHEN verdict = 'rejected' THEN $2 || line ELSE '' END, reason, action,
       CASE WHEN $5 AND verdict = 'accepted' AND action = 'new' THEN nextval('space_id_seq') ELSE space_id END,
       CASE WHEN $5 AND verdict = 'accepted' AND action IN ('new', 'restart') THEN nextval('request_id_seq') ELSE request_id END
FROM (
    SELECT t.line, k.id AS space_id, o.id AS request_id,
           CASE
               WHEN t.expires > horizon.day THEN 'not_due'
               WHEN k.access = 'password' THEN 'unchanged'
               WHEN left_alone.reason IS NOT NULL THEN 'excluded'
               WHEN same.contents THEN 'unchanged'
               WHEN taken.id IS NOT NULL THEN 'rejected'
               WHEN o.purpose = 'activate' THEN 'unchanged'
               ELSE 'accepted'
           END AS verdict,
           CASE
               WHEN t.expires > horizon.day
                   THEN 'le certificat expire le ' || to_char(t.expires, 'DD/MM/YYYY') || ', au-delà du délai demandé'
               WHEN k.access = 'password' THEN 'cet espace est déjà sans certificat'
               WHEN left_alone.reason IS NOT NULL
                   THEN 'à ne pas inviter (exclusion du ' || to_char(left_alone.made_at AT TIME ZONE 'Europe/Paris', 'DD/MM/YYYY') || ') : '
                   || CASE left_alone.reason WHEN 'complaint' THEN 'plainte du destinataire' ELSE left_alone.reason END
               WHEN same.contents THEN 'déjà connu, sans changement' || CASE WHEN o.id IS NULL THEN ' ; aucune demande n’est en cours (voir bascule retry)' ELSE '' END
               WHEN taken.id IS NOT NULL THEN 'cette adresse électronique est déjà l’identifiant d’un autre espace sans certificat'
               WHEN o.purpose = 'activate' THEN 'l’abonné a lui-même une demande en cours'
                   || coalesce(', jusqu’au ' || to_char(o.expires_at AT TIME ZONE 'Europe/Paris', 'DD/MM/YYYY "à" FMHH24 "h" MI') || ' (heure de Paris)', '')
               WHEN clash.number IS NOT NULL THEN 'attention : ce certificat est aussi celui de l’espace ' || clash.number
               WHEN k.contact_key <> t.email_key THEN 'l’adresse de contact change'
               ELSE ''
           END AS reason,
           CASE
               WHEN k.id IS NULL THEN 'new'
               WHEN o.id IS NULL THEN 'restart'
               WHEN o.email_key <> t.email_key AND o.campaign_id IS NOT NULL AND o.campaign_id <> ALL (ARRAY(SELECT id FROM campaign WHERE campaign_is_open(id))) THEN 'restart'
               WHEN o.email_key <> t.email_key THEN 'redirect'
               ELSE 'update'
           END AS action
    FROM horizon, staged t
    LEFT JOIN LATERAL (SELECT * FROM space WHERE number = t.number LIMIT 1) AS k ON true
    LEFT JOIN LATERAL (
        SELECT * FROM request_code r WHERE r.space_id = k.id AND is_open(r) AND (expires_at IS NULL OR expires_at > $3) LIMIT 1
    ) AS o ON true
    LEFT JOIN LATERAL (
        SELECT id FROM space WHERE access = 'password' AND email_key = t.email_key AND number <> t.number LIMIT 1
    ) AS taken ON true
    LEFT JOIN LATERAL ( -- a serial number is an issuer's own: few spaces share it
        SELECT min(number) AS number FROM (SELECT number, issuer FROM space WHERE serial = t.serial LIMIT 100) AS x
        WHERE lower(issuer) = lower(t.issuer) AND number <> t.number
    ) AS clash ON true
    CROSS JOIN LATERAL ( -- no sort for each row, and by the key alone
        SELECT min(id) AS id FROM (
            SELECT id FROM exclusion
            WHERE key IN (t.email_key, split_part(t.email_key, '@', 2), t.number) AND ends_at > $3
              AND key = CASE kind WHEN 'address' THEN t.email_key WHEN 'domain' THEN split_part(t.email_key, '@', 2) ELSE t.number END
            OFFSET 0) AS x
    ) AS first
    LEFT JOIN exclusion AS left_alone ON left_alone.id = first.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN k.contents = t.contents::uuid THEN NOT EXISTS (
            SELECT FROM dossier d WHERE d.number = t.number AND d.companies <> k.companies) ELSE false END AS contents
    ) AS same
    WHERE NOT EXISTS (SELECT FROM judged j WHERE j.line = t.line)
    ORDER BY o.id, -- what is changed lies in the order of the ids
             t.priority, t.expires, t.line -- what is new is made in the order in which it leaves (D13)
) AS j
