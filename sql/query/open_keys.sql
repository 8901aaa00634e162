-- Lists those of the keys $1 that are needed: a good code was made with them, or a code that is still to be mailed. An
-- overdue code does not need its key any more, swept or not. A subquery finds the code of each mail by index, as there may
-- be no statistics.
SELECT k.id FROM unnest($1::text[]) AS k (id)
WHERE EXISTS (SELECT FROM code c WHERE c.key_id = k.id AND c.void_at IS NULL AND c.expires_at > (SELECT bascule_now()))
   OR EXISTS (
    SELECT FROM held h, LATERAL (SELECT * FROM code c WHERE c.request_id = h.request_id AND c.generation = h.generation LIMIT 1) AS c
    WHERE c.key_id = k.id)
   OR EXISTS (
    SELECT FROM obligation o, LATERAL (SELECT * FROM code c WHERE c.request_id = o.request_id AND c.generation = o.generation LIMIT 1) AS c
    WHERE c.key_id = k.id AND c.void_at IS NULL AND c.expires_at IS NULL
      AND (o.kind = 'code' OR o.kind IN ('reset', 'identifier') AND o.happened_at > (SELECT bascule_now()) - interval '1 day'))
