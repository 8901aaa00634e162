-- Locks the open request of space $1 with its codes, then the space, at once or not at all. An activation locks in this
-- order, too. A later statement reads the rows.
WITH request AS MATERIALIZED (
    SELECT r.id FROM request r WHERE r.space_id = $1 AND request_is_open(r) FOR UPDATE NOWAIT
), code AS MATERIALIZED (
    SELECT c.generation FROM code c WHERE c.request_id = (SELECT id FROM request) FOR UPDATE NOWAIT
), space AS MATERIALIZED (
    SELECT s.id FROM space s WHERE s.id = $1 AND (SELECT count(*) FROM code) >= 0 FOR UPDATE NOWAIT
)
SELECT coalesce((SELECT id FROM request), 0) FROM space
