-- The relay has accepted the mails $2 of token $1. A code that died meanwhile stays dead, and the audit says so.
-- Tells how many are left because somebody holds their codes, an import perhaps, that must not hold up the others.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), done AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.space_id, o.request_id, o.generation, o.interruptions, c.mailed_at,
           c.void_at IS NOT NULL OR c.expires_at <= (SELECT now FROM clock) AS is_dead
    FROM obligation o JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    WHERE o.id = ANY ($2) AND o.claim = $1
    ORDER BY o.request_id -- all who lock several requests do so in this order
    FOR UPDATE OF o, c SKIP LOCKED
), mailed AS (
    UPDATE code c SET mailed_at = clock.now, doubts = d.interruptions
    FROM done d, clock
    WHERE d.kind IN ('code', 'reset') AND d.copy = 0 AND NOT d.is_dead AND d.mailed_at IS NULL
      AND c.request_id = d.request_id AND c.generation = d.generation AND c.started_at IS NOT NULL
), told AS (
    SELECT d.space_id, d.request_id, CASE
               WHEN d.kind <> 'code' THEN d.kind || ' mailed'
               WHEN d.is_dead AND NOT EXISTS (SELECT FROM request r WHERE r.id = d.request_id AND r.activated_at IS NOT NULL) THEN 'dead code mailed'
               WHEN d.copy > 0 THEN 'resent'
               WHEN d.mailed_at IS NULL AND NOT d.is_dead THEN 'mailed'
           END AS event
    FROM done d
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, request_id, event, 'worker',
           CASE event WHEN 'dead code mailed' THEN 'the request changed while its mail was under way' ELSE 'accepted by the relay' END
    FROM told, clock WHERE event IS NOT NULL
), refused AS MATERIALIZED ( -- others, without a clear reason: this one got through, so it was not the relay's fault (D11)
    SELECT id FROM obligation
    WHERE blame IN ('open', 'excused') AND id <> ALL ($2) AND EXISTS (SELECT FROM done)
    ORDER BY blame, id LIMIT 500 -- by the index, and little at a time: the next success takes the rest
    FOR NO KEY UPDATE SKIP LOCKED
), blamed AS (
    UPDATE obligation o SET blame = 'own' FROM refused WHERE o.id = refused.id
), gone AS (
    DELETE FROM obligation o USING done d WHERE o.id = d.id
)
SELECT count(*) FROM obligation o WHERE o.id = ANY ($2) AND o.claim = $1 AND o.id NOT IN (SELECT id FROM done)
