-- Records that the worker $1 is alive, that it runs the program $2 and mails the texts $3, and what to do about the Redis
-- that keeps it from work, $4. Forgets the workers that were silent for a day.
WITH forgotten AS (
    DELETE FROM worker WHERE seen_at < (SELECT bascule_now()) - interval '1 day' AND id <> $1
)
INSERT INTO worker (id, version, texts, trouble, seen_at) VALUES ($1, $2, $3, $4, (SELECT bascule_now()))
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, trouble = excluded.trouble
