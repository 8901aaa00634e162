-- The keys that open requests were made with. An overdue one has no use for its key any more, swept or not.
SELECT DISTINCT r.key_id FROM request r WHERE request_is_open(r) AND (r.expires_at IS NULL OR r.expires_at > (SELECT bascule_now()))
