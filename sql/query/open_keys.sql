-- The keys that good codes were made with, and codes still to be mailed. An overdue one has no use for its key any more, swept or not.
SELECT c.key_id FROM code c WHERE c.void_at IS NULL AND c.expires_at > (SELECT bascule_now())
UNION
SELECT c.key_id FROM obligation o JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
WHERE c.void_at IS NULL AND c.expires_at IS NULL
  AND (o.kind = 'code' OR o.kind = 'reset' AND o.happened_at > (SELECT bascule_now()) - interval '1 day')
