-- Whether an accepted row has yet to open a request, or would change one that is not locked.
SELECT EXISTS (
    SELECT FROM staged
    WHERE verdict = 'accepted'
      AND (action IN ('new', 'restart') OR action IN ('update', 'redirect') AND request_id IS DISTINCT FROM held_id))
