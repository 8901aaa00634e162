-- Tells whether an accepted row of round $1 has yet to open a request, or would change a request that is not locked.
SELECT EXISTS (
    SELECT FROM judged j LEFT JOIN contested c USING (line)
    WHERE j.round = $1 AND j.verdict = 'accepted'
      AND (j.action IN ('new', 'restart') OR j.action IN ('update', 'redirect') AND j.request_id IS DISTINCT FROM c.held_id))
