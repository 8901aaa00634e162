-- The worker $1 is alive: it runs the program $2, and its mails are made of the texts $3. A worker that was silent for a day is forgotten.
WITH forgotten AS (
    DELETE FROM worker WHERE seen_at < (SELECT bascule_now()) - interval '1 day' AND id <> $1
)
INSERT INTO worker (id, version, texts, seen_at) VALUES ($1, $2, $3, (SELECT bascule_now()))
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
