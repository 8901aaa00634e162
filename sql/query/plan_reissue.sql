-- The open requests made with key $1, by their state.
SELECT r.id AS request_id, request_state(r, (SELECT bascule_now())) AS state
FROM request r
WHERE r.key_id = $1 AND request_is_open(r) AND (r.expires_at IS NULL OR r.expires_at > (SELECT bascule_now()))
