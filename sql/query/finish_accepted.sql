-- The relay has accepted the mails $2 of token $1. A request that ended meanwhile keeps its end: its code is dead, and the audit says so.
-- Tells how many are left because somebody holds their requests, an import perhaps, that must not hold up the others.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), done AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.request_id, r.space_id, r.activated_at, r.mailed_at, r.expires_at,
           request_is_open(r) AND o.generation = request_current(r) AND r.started_at IS NOT NULL AS stands
    FROM obligation o JOIN request r ON r.id = o.request_id
    WHERE o.id = ANY ($2) AND o.claim = $1
    ORDER BY r.id -- all who lock several requests do so in this order
    FOR UPDATE OF o, r SKIP LOCKED
), mailed AS (
    UPDATE request r SET mailed_at = clock.now
    FROM done d, clock
    WHERE d.kind = 'code' AND d.copy = 0 AND d.stands AND d.mailed_at IS NULL AND r.id = d.request_id
    RETURNING r.id, r.space_id
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, id, 'mailed', 'worker', 'accepted by the relay' FROM mailed, clock
    UNION ALL
    SELECT clock.now, space_id, request_id, 'dead code mailed', 'worker', 'the request changed while its mail was under way'
    FROM done, clock WHERE kind = 'code' AND NOT stands AND activated_at IS NULL
    UNION ALL
    SELECT clock.now, space_id, request_id, CASE WHEN kind = 'code' THEN 'resent' ELSE kind || ' mailed' END, 'worker', 'accepted by the relay'
    FROM done, clock WHERE kind <> 'code' OR copy > 0 AND (stands OR activated_at IS NOT NULL)
), kept AS (
    UPDATE obligation o
    SET lane = 'expiry', kind = 'expiry', due_at = d.expires_at, claim = NULL, claimed_until = NULL, started_at = NULL, blame = NULL
    FROM done d WHERE o.id = d.id AND d.kind = 'code' AND d.copy = 0 AND d.stands
), refused AS MATERIALIZED ( -- others, without a clear reason: this one got through, so it was not the relay's fault (D11)
    SELECT id FROM obligation
    WHERE blame IN ('open', 'excused') AND id <> ALL ($2) AND EXISTS (SELECT FROM done)
    ORDER BY blame, id LIMIT 500 -- by the index, and little at a time: the next success takes the rest
    FOR NO KEY UPDATE SKIP LOCKED
), blamed AS (
    UPDATE obligation o SET blame = 'own' FROM refused WHERE o.id = refused.id
), gone AS (
    DELETE FROM obligation o USING done d
    WHERE o.id = d.id AND NOT (d.kind = 'code' AND d.copy = 0 AND d.stands)
)
SELECT count(*) FROM obligation o WHERE o.id = ANY ($2) AND o.claim = $1 AND o.id NOT IN (SELECT id FROM done)
