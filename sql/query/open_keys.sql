-- Which of the keys $1 are needed: good codes were made with them, or codes still to be mailed. An overdue one has no use for
-- its key any more, swept or not. Each mail asks for its code by the key of its row: there may be no statistics.
SELECT k.id FROM unnest($1::text[]) AS k (id)
WHERE EXISTS (SELECT FROM code c WHERE c.key_id = k.id AND c.void_at IS NULL AND c.expires_at > (SELECT bascule_now()))
   OR EXISTS (
    SELECT FROM held h, LATERAL (SELECT * FROM code c WHERE c.request_id = h.request_id AND c.generation = h.generation LIMIT 1) AS c
    WHERE c.key_id = k.id)
   OR EXISTS (
    SELECT FROM obligation o, LATERAL (SELECT * FROM code c WHERE c.request_id = o.request_id AND c.generation = o.generation LIMIT 1) AS c
    WHERE c.key_id = k.id AND c.void_at IS NULL AND c.expires_at IS NULL
      AND (o.kind = 'code' OR o.kind IN ('reset', 'identifier') AND o.happened_at > (SELECT bascule_now()) - interval '1 day'))
