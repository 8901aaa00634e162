-- The keys that open requests were made with.
SELECT DISTINCT r.key_id FROM request r WHERE request_is_open(r)
