-- Makes one more mail with the same code due, for request $1, generation $2, at instant $3, by $4 for reason $5 (D3). Statements before
-- lock the request and find that it may have one more.
WITH counted AS (
    UPDATE code c SET resends = c.resends + 1
    FROM request r
    WHERE c.request_id = $1 AND c.generation = $2 AND r.id = c.request_id
    RETURNING r.id, r.space_id, c.resends
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, copy, due_at)
    SELECT 'interactive', 'code', space_id, id, $2, resends, $3 FROM counted
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT $3, space_id, id, 'resend asked', $4, 'mail ' || resends || ' of generation ' || $2::int || CASE $5::text WHEN '' THEN '' ELSE ': ' || $5 END FROM counted
