-- Lists the open requests with a good code made with key $1, with their state.
SELECT r.id AS request_id, request_state(r, (SELECT bascule_now())) AS state
FROM request_code r
WHERE is_open(r) AND (r.expires_at IS NULL OR r.expires_at > (SELECT bascule_now()))
  AND EXISTS (SELECT FROM code k WHERE k.request_id = r.id AND k.key_id = $1 AND k.void_at IS NULL)
