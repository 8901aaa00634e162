-- Makes reminders due for the codes of up to $1 deadlines that have reached half time, once (D16). Each code is good, was not
-- typed and did not bounce. The start of a reminder finds out whether it may leave. A code that somebody holds is looked at
-- again.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), half AS MATERIALIZED (
    UPDATE deadline d SET at = d.until, until = NULL
    WHERE d.id = ANY (ARRAY(
        SELECT id FROM deadline WHERE at <= (SELECT now FROM clock) AND until > (SELECT now FROM clock) ORDER BY at, id LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING d.requests
), reached AS MATERIALIZED (
    SELECT DISTINCT unnest(requests) AS id FROM half
), silent AS MATERIALIZED (
    SELECT r.id, r.space_id, r.generation, r.campaign_id, c.expires_at
    FROM reached JOIN request r USING (id) JOIN code c ON c.request_id = r.id AND c.generation = r.generation, clock
    WHERE request_is_open(r) AND r.campaign_id IS NOT NULL AND c.purpose = 'identify' AND c.mailed_at IS NOT NULL
      AND c.typed_at IS NULL AND c.bounced_at IS NULL AND c.reminded_at IS NULL
      AND c.started_at + (c.expires_at - c.started_at) / 2 <= clock.now AND c.expires_at > clock.now
), free AS MATERIALIZED (
    SELECT s.* FROM silent s JOIN code c ON c.request_id = s.id AND c.generation = s.generation
    WHERE c.reminded_at IS NULL
    ORDER BY s.id
    FOR NO KEY UPDATE OF c SKIP LOCKED
), marked AS (
    UPDATE code c SET reminded_at = clock.now FROM free f, clock WHERE c.request_id = f.id AND c.generation = f.generation
), due AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, campaign_id, due_at)
    SELECT 'bulk', 'reminder', space_id, id, generation, campaign_id, clock.now FROM free, clock ORDER BY id
), again AS (
    INSERT INTO deadline (at, until, requests)
    SELECT clock.now + interval '2 seconds', l.expires_at, array_agg(l.id)
    FROM clock, (SELECT id, expires_at FROM silent EXCEPT SELECT id, expires_at FROM free) AS l GROUP BY clock.now, l.expires_at
)
SELECT (SELECT count(*) FROM half) AS found, (SELECT count(*) FROM free) AS done
