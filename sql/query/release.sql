-- Releases up to $4 invitations that campaign $1 holds, of priority $2. $3 tells whether their certificates still hold or
-- have expired. The earliest expiry is first, then the order of the rows (D13). The days are those of Paris.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), next AS MATERIALIZED (
    SELECT h.ctid AS place FROM held h, (SELECT (now AT TIME ZONE 'Europe/Paris')::date AS today FROM clock) AS d
    WHERE h.campaign_id = $1 AND h.priority = $2 AND h.not_before IS NULL
      AND h.expires BETWEEN CASE WHEN $3 THEN d.today ELSE '-infinity' END AND CASE WHEN $3 THEN 'infinity' ELSE d.today - 1 END
    ORDER BY h.expires, h.request_id LIMIT $4
    FOR UPDATE OF h SKIP LOCKED
), released AS (
    DELETE FROM held h USING next n WHERE h.ctid = n.place -- they are locked, so they are still there
    RETURNING h.request_id, h.generation, h.space_id, h.expires
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, campaign_id, due_at)
    SELECT 'bulk', 'code', space_id, request_id, generation, $1, clock.now FROM released, clock ORDER BY expires, request_id
)
SELECT count(*) FROM released
