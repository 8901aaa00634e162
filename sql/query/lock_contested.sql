-- Locks the open requests of the spaces of contested rows without a verdict. These rows are judged again, now that nothing
-- can move.
WITH held AS MATERIALIZED (
    SELECT r.id, r.space_id FROM contested c JOIN request r ON r.space_id = c.space_id
    WHERE request_is_open(r) AND NOT EXISTS (SELECT FROM judged j WHERE j.line = c.line)
    ORDER BY r.id -- every statement that locks several requests uses this order
    FOR UPDATE OF r
)
UPDATE contested c SET held_id = h.id FROM held h WHERE c.space_id = h.space_id
