-- Locks the open requests that accepted rows would change, and unjudges these rows: they are judged again once nothing can move.
WITH held AS MATERIALIZED (
    SELECT r.id FROM request r
    WHERE r.id IN (SELECT request_id FROM staged WHERE verdict = 'accepted' AND request_id IS NOT NULL)
    ORDER BY r.id
    FOR UPDATE
)
UPDATE staged s SET verdict = NULL FROM held WHERE s.request_id = held.id AND s.verdict = 'accepted'
