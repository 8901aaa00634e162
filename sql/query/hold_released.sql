-- Takes the invitations back that campaign $1 has released and nobody has tried to send: its brakes have changed, or it is
-- stopped, and it releases them anew (D13). Those that somebody is at work on leave. A mail whose address a subscriber has
-- chosen meanwhile is no invitation any more (D12).
WITH released AS MATERIALIZED (
    SELECT o.id FROM obligation o JOIN request r ON r.id = o.request_id AND r.generation = o.generation
    WHERE o.lane = 'bulk' AND o.campaign_id = $1 AND o.kind = 'code' AND o.copy = 0
      AND o.attempts = 0 AND o.interruptions = 0 AND o.blame IS NULL AND o.started_at IS NULL AND request_is_open(r) AND r.password_hash IS NULL
    FOR UPDATE OF o SKIP LOCKED FOR SHARE OF r SKIP LOCKED
), gone AS (
    DELETE FROM obligation o USING released r WHERE o.id = r.id
    RETURNING o.request_id, o.generation, o.space_id, o.campaign_id
)
INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
SELECT g.request_id, g.generation, s.id, g.campaign_id, s.priority, s.certificate_expires FROM gone g JOIN space s ON s.id = g.space_id
