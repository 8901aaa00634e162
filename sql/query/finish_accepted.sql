-- The relay has accepted the mails $2 of token $1. A request that ended meanwhile keeps its end: its code is dead, and the audit says so.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), done AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.request_id, o.generation FROM obligation o
    WHERE o.id = ANY ($2) AND o.claim = $1
    FOR UPDATE
), mailed AS (
    UPDATE request r SET mailed_at = clock.now
    FROM done d, clock
    WHERE d.kind = 'code' AND d.copy = 0 AND r.id = d.request_id AND d.generation = request_current(r)
      AND request_is_open(r) AND r.mailed_at IS NULL AND r.started_at IS NOT NULL
    RETURNING r.id, r.space_id
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, id, 'mailed', 'worker', 'accepted by the relay' FROM mailed, clock
    UNION ALL
    SELECT clock.now, r.space_id, r.id, 'dead code mailed', 'worker', 'the request changed while its mail was under way'
    FROM done d JOIN request r ON r.id = d.request_id, clock
    WHERE d.kind = 'code' AND d.copy = 0 AND r.activated_at IS NULL AND (d.generation <> request_current(r) OR NOT request_is_open(r))
    UNION ALL
    SELECT clock.now, r.space_id, r.id, CASE WHEN d.kind = 'code' THEN 'resent' ELSE d.kind || ' mailed' END, 'worker', 'accepted by the relay'
    FROM done d JOIN request r ON r.id = d.request_id, clock
    WHERE d.kind <> 'code' OR d.copy > 0
), kept AS (
    UPDATE obligation o
    SET lane = 'expiry', kind = 'expiry', due_at = r.expires_at, claim = NULL, claimed_until = NULL, started_at = NULL
    FROM done d JOIN request r ON r.id = d.request_id
    WHERE o.id = d.id AND d.kind = 'code' AND d.copy = 0 AND d.generation = request_current(r)
      AND request_is_open(r) AND r.expires_at IS NOT NULL
    RETURNING o.id
), calm AS (
    UPDATE breaker SET unclear = '{}' WHERE unclear <> '{}'
)
DELETE FROM obligation o USING done d
WHERE o.id = d.id AND NOT (d.kind = 'code' AND d.copy = 0 AND EXISTS (
    SELECT FROM request r WHERE r.id = d.request_id AND d.generation = request_current(r) AND request_is_open(r) AND r.expires_at IS NOT NULL))
