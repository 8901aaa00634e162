-- What may become of the claimed mails $2 of token $1 now that they are locked. Nothing starts while the breaker is open, unless
-- this is the probe ($3). A mail found started had its outcome lost with its holder: that is one more interruption.
-- verdict: start; doubt, after three interruptions; later, its code is held by somebody, an import perhaps, and no deadline
-- counts while we wait; left alone until an instant (D17); void.
-- Who is left alone gets no invitation, and no word that it is over. What goes to an address that the subscriber chose was asked
-- for. A mail about an expired code is void once the space has a newer request or is switched.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), mine AS MATERIALIZED (
    SELECT o.id, o.kind, o.space_id, o.request_id, o.generation, o.copy, o.happened_at,
           o.kind IN ('code', 'reset') AND o.copy = 0 AS first,
           o.interruptions + (o.started_at IS NOT NULL)::int AS interruptions
    FROM obligation o
    WHERE o.id = ANY ($2) AND o.claim = $1 AND o.claimed_until > (SELECT now FROM clock)
      AND ($3 OR NOT EXISTS (SELECT FROM breaker WHERE opened_at IS NOT NULL))
    FOR UPDATE
), about AS MATERIALIZED (
    SELECT m.id, m.kind, m.space_id, c.purpose, c.email_key, c.started_at, c.expires_at, c.mailed_at, c.bounced_at,
           c.void_at IS NULL AND coalesce(c.expires_at > (SELECT now FROM clock), true) AS is_live
    FROM mine m JOIN code c ON c.request_id = m.request_id AND c.generation = m.generation
    FOR NO KEY UPDATE OF c SKIP LOCKED
), left_alone AS MATERIALIZED (
    SELECT c.id, max(x.ends_at) AS until
    FROM about c JOIN space s ON s.id = c.space_id,
         LATERAL (VALUES ('address', c.email_key), ('address', s.contact_key), ('domain', split_part(s.contact_key, '@', 2)), ('number', s.number)) AS n (kind, key)
         JOIN exclusion x ON x.kind = n.kind AND x.key = n.key
    WHERE (c.kind = 'expired' OR c.kind = 'code' AND c.purpose = 'identify') AND x.ends_at > (SELECT now FROM clock)
    GROUP BY c.id
)
SELECT m.id, m.first,
       coalesce(CASE m.kind
           WHEN 'notice' THEN (SELECT max(i.expires_at) FROM code i
                               WHERE i.request_id = m.request_id AND i.purpose = 'identify' AND i.void_at IS NULL)
           ELSE c.expires_at END, 'epoch') AS expires_at,
       coalesce(l.until::text, '') AS until,
       CASE
           WHEN c.id IS NULL THEN 'later'
           WHEN m.first AND NOT (c.is_live AND c.mailed_at IS NULL
               AND (m.kind = 'code' OR c.started_at IS NOT NULL OR m.happened_at > (SELECT now FROM clock) - interval '1 day')) THEN 'void'
           WHEN l.id IS NOT NULL THEN CASE WHEN m.first AND c.started_at IS NULL THEN 'left alone' ELSE 'void' END
           WHEN m.first THEN CASE WHEN m.interruptions >= 3 THEN 'doubt' ELSE 'start' END
           WHEN m.interruptions >= 3 THEN 'void'
           WHEN m.kind = 'code' THEN CASE WHEN c.is_live AND c.mailed_at IS NOT NULL THEN 'start' ELSE 'void' END
           WHEN m.kind = 'expired' AND (c.bounced_at IS NOT NULL
               OR EXISTS (SELECT FROM request n WHERE n.space_id = m.space_id AND n.id > m.request_id)
               OR EXISTS (SELECT FROM space s WHERE s.id = m.space_id AND s.access = 'password')) THEN 'void'
           ELSE 'start'
       END AS verdict
FROM mine m LEFT JOIN about c USING (id) LEFT JOIN left_alone l USING (id)
ORDER BY m.id
