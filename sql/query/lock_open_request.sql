-- Waits for the locks on the open request of space $1 and then on the space, in the order of an activation. What they say
-- is read afterwards, in a statement of its own.
WITH request AS MATERIALIZED (
    SELECT r.id FROM request r WHERE r.space_id = $1 AND request_is_open(r) FOR UPDATE
), space AS MATERIALIZED (
    SELECT s.id FROM space s WHERE s.id = $1 AND (SELECT count(*) FROM request) >= 0 FOR UPDATE
)
SELECT coalesce((SELECT id FROM request), 0) FROM space
