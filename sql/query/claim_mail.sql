-- Claims up to $2 due mails of lane $1 with token $3 for $4 seconds, if $5 none whose refusal
-- is on record (D11), and reads what is needed to write them. What has become void since is found at the start.
-- Of $7 workers, the one of rank $6 alone takes its share of what became due less than a second ago.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), due AS (
    SELECT o.id FROM obligation o
    WHERE o.lane = $1 AND o.due_at <= (SELECT now FROM clock)
      AND (o.claimed_until IS NULL OR o.claimed_until <= (SELECT now FROM clock))
      AND (NOT $5 OR o.blame IS NULL)
      AND ($7 = 1 OR o.id % $7 = $6 OR o.due_at <= (SELECT now FROM clock) - interval '1 second')
    ORDER BY o.due_at, o.id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE obligation o SET claim = $3, claimed_until = clock.now + make_interval(secs => $4)
    FROM due, clock WHERE o.id = due.id
    RETURNING o.id, o.kind, o.request_id, o.generation, o.copy, o.attempts, o.happened_at, o.blame
), sharing AS MATERIALIZED ( -- once for each address, and no further than a mail tells (D2)
    SELECT k.contact_key, (SELECT count(*) FROM (
        SELECT FROM space x WHERE x.contact_key = k.contact_key AND x.access = 'certificate' LIMIT 1001) AS counted) AS spaces
    FROM (SELECT DISTINCT r.contact_key FROM claimed d JOIN request r ON r.id = d.request_id WHERE d.kind = 'code') AS k
)
SELECT d.id, d.kind, d.request_id, d.generation, d.copy, d.attempts, coalesce(d.blame = 'own', false) AS own_fault,
       coalesce(z.key_id, r.key_id) AS key_id, coalesce(z.nonce, r.nonce) AS nonce,
       r.chosen_key IS NOT NULL AND d.generation = r.generation AS is_chosen,
       CASE d.kind
           WHEN 'confirmation' THEN coalesce(s.email, r.contact_email)
           WHEN 'reset' THEN coalesce(s.email, r.contact_email)
           WHEN 'password-notice' THEN coalesce(s.email, r.contact_email)
           WHEN 'siege-notice' THEN coalesce(s.email, r.contact_email)
           WHEN 'notice' THEN r.contact_email
           WHEN 'switch-notice' THEN r.contact_email
           ELSE CASE WHEN r.chosen_key IS NOT NULL AND d.generation = r.generation THEN r.chosen_email ELSE r.contact_email END
       END AS recipient,
       coalesce(r.chosen_email, '') AS chosen_email,
       s.number, s.holder, s.contact_email, s.serial, s.issuer, s.certificate_expires, s.access,
       coalesce(s.switched_at, 'epoch') AS switched_at, coalesce(d.happened_at, 'epoch') AS happened_at,
       coalesce(h.spaces, 1) AS sharing,
       d.kind = 'code' AND EXISTS (
           SELECT FROM space x WHERE x.email_key = r.contact_key AND x.access = 'password') AS taken,
       p.pdf
FROM claimed d
JOIN request r ON r.id = d.request_id
JOIN space s ON s.id = r.space_id
LEFT JOIN sharing h ON h.contact_key = r.contact_key AND d.kind = 'code'
LEFT JOIN recap p ON p.request_id = r.id AND d.kind = 'confirmation'
LEFT JOIN reset z ON z.request_id = d.request_id AND z.generation = d.generation AND d.kind = 'reset'
ORDER BY d.id
