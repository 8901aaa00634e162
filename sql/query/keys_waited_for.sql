-- The keys that no worker has started with, although mails with their codes are due.
SELECT id FROM key k WHERE worker_at IS NULL AND key_is_waited_for(k) ORDER BY known_at, id
