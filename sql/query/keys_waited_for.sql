-- Lists the keys of codes in mails that are due, if no worker has started with them.
SELECT id FROM key k WHERE worker_at IS NULL AND key_is_waited_for(k) ORDER BY known_at, id
