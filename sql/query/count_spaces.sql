-- Spaces by access; of batch $1, or all where it is 0.
SELECT access, count(*) AS count FROM space s
WHERE $1 = 0 OR EXISTS (SELECT FROM request r WHERE r.space_id = s.id AND r.batch_id = $1)
GROUP BY 1
