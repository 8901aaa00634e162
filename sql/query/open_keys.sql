-- The keys that open requests were made with, and codes for a new password. An overdue one has no use for its key any more, swept or not.
SELECT r.key_id FROM request r WHERE request_is_open(r) AND (r.expires_at IS NULL OR r.expires_at > (SELECT bascule_now()))
UNION
SELECT z.key_id FROM reset z
WHERE z.used_at IS NULL AND coalesce(z.expires_at, z.requested_at + interval '1 day') > (SELECT bascule_now())
