-- Records that the relay has accepted the mails $2 of the tokens $1, of the codes ($3, $4). A code that died meanwhile stays
-- dead, and the audit log says so. Mails whose codes somebody holds, perhaps an import, are left out and listed: they must
-- not hold up the others. Each change of what became of a mail locks its code.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), done AS MATERIALIZED (
    SELECT i.token, i.id, c.mailed_at, c.void_at IS NOT NULL OR c.expires_at <= (SELECT now FROM clock) AS is_dead
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[]) AS i (token, id, request_id, generation)
    JOIN code c ON c.request_id = i.request_id AND c.generation = i.generation
    FOR NO KEY UPDATE OF c SKIP LOCKED
), gone AS (
    DELETE FROM obligation o USING done d WHERE o.id = d.id AND o.claim = d.token
    RETURNING o.id, o.kind, o.copy, o.space_id, o.request_id, o.generation, o.interruptions, d.mailed_at, d.is_dead
), mailed AS (
    UPDATE code c SET mailed_at = clock.now, doubts = d.interruptions
    FROM gone d, clock
    WHERE d.kind IN ('code', 'reset', 'identifier') AND d.copy = 0 AND NOT d.is_dead AND d.mailed_at IS NULL
      AND c.request_id = d.request_id AND c.generation = d.generation -- not by its place: it may have changed just before the lock
      AND c.started_at IS NOT NULL
), told AS (
    SELECT d.id, d.space_id, d.request_id, CASE
               WHEN d.kind <> 'code' THEN d.kind || ' mailed'
               WHEN d.is_dead AND NOT EXISTS (SELECT FROM request r WHERE r.id = d.request_id AND r.activated_at IS NOT NULL) THEN 'dead code mailed'
               WHEN d.copy > 0 THEN 'resent'
               WHEN d.mailed_at IS NULL AND NOT d.is_dead THEN 'mailed'
           END AS event
    FROM gone d
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, request_id, event, 'worker',
           CASE event WHEN 'dead code mailed' THEN 'the request changed while its mail was under way' ELSE 'accepted by the relay' END
    FROM told, clock WHERE event IS NOT NULL ORDER BY id
), refused AS MATERIALIZED ( -- other mails, without a clear reason: this one got through, so the relay is not to blame (D11)
    SELECT id FROM obligation
    WHERE blame IN ('open', 'excused') AND id <> ALL ($2) AND EXISTS (SELECT FROM gone)
    ORDER BY blame, id LIMIT 500 -- by the index, and little at a time: the next success takes the rest
    FOR NO KEY UPDATE SKIP LOCKED
), blamed AS (
    UPDATE obligation o SET blame = 'own' FROM refused WHERE o.id = refused.id
)
SELECT i.id FROM unnest($1::uuid[], $2::bigint[]) AS i (token, id) JOIN obligation o ON o.id = i.id AND o.claim = i.token
WHERE i.id NOT IN (SELECT id FROM done)
