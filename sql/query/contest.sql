-- Takes back the verdicts of round $1 on rows whose space has an open request that this import did not open. contested
-- keeps the reasons that were told.
WITH taken_back AS (
    DELETE FROM judged j
    WHERE round = $1 AND verdict = 'accepted'
      AND (action IN ('update', 'redirect') OR action = 'restart' AND NOT EXISTS (SELECT FROM request r WHERE r.id = j.request_id))
    RETURNING line, space_id, reason
)
INSERT INTO contested (line, space_id, told) SELECT line, space_id, reason FROM taken_back
ON CONFLICT (line) DO UPDATE SET held_id = NULL
