-- Starts the hand-over of the mails $1, which carry codes with the tags $2: the deadline of a code counts from here, $3 seconds, or
-- $4 for a new password (D4, R31). A repetition after doubt keeps its deadline. The codes that start together have one deadline.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), mine AS MATERIALIZED (
    SELECT o.id, o.request_id, o.generation, i.tag, c.started_at IS NULL AS is_new
    FROM unnest($1::bigint[], $2::bigint[]) AS i (id, tag)
    JOIN obligation o ON o.id = i.id
    JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
), started AS (
    UPDATE code c
    SET started_at = coalesce(c.started_at, clock.now),
        expires_at = coalesce(c.expires_at, clock.now + make_interval(secs => CASE c.purpose WHEN 'reset' THEN $4::float8 ELSE $3::float8 END))
    FROM mine m, clock WHERE c.request_id = m.request_id AND c.generation = m.generation
    RETURNING m.id, c.request_id, c.generation, m.tag, m.is_new, c.expires_at
), tagged AS (
    INSERT INTO code_tag (tag, request_id, generation) SELECT tag, request_id, generation FROM started WHERE is_new
), until AS (
    INSERT INTO deadline (at, requests, tags)
    SELECT expires_at, array_agg(request_id), array_agg(tag) FROM started WHERE is_new GROUP BY expires_at
), marked AS (
    UPDATE obligation o
    SET started_at = clock.now, message_date = coalesce(o.message_date, clock.now),
        interruptions = o.interruptions + (o.started_at IS NOT NULL)::int
    FROM mine m, clock WHERE o.id = m.id
    RETURNING o.id, o.message_date
)
SELECT s.id, m.message_date, s.expires_at FROM started s JOIN marked m USING (id) ORDER BY s.id
