-- Locks the open requests of the spaces of accepted rows that have opened none themselves, and unjudges these rows: they are
-- judged again now that nothing can move. What they were told is kept.
WITH pending AS MATERIALIZED (
    SELECT line, space_id FROM staged WHERE verdict = 'accepted' AND action IN ('new', 'restart', 'update', 'redirect')
), held AS MATERIALIZED (
    SELECT r.id, r.space_id FROM request r
    WHERE request_is_open(r) AND r.space_id IN (SELECT space_id FROM pending)
    ORDER BY r.id -- all who lock several requests do so in this order
    FOR UPDATE
)
UPDATE staged s SET verdict = NULL, told = coalesce(s.told, s.reason), held_id = h.id
FROM pending p LEFT JOIN held h USING (space_id)
WHERE s.line = p.line
