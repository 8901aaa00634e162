-- Records that strangers guess at the password space whose identifier has key $1, and are stopped. A mail to its owner is
-- due, once a day. last_at always grows, so told_at equals it only if this very refusal is to be told.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), noted AS (
    INSERT INTO siege AS g (space_id, began_at, last_at, told_at)
    SELECT s.id, clock.now, clock.now, clock.now FROM space s, clock WHERE s.email_key = $1 AND s.access = 'password'
    ON CONFLICT (space_id) DO UPDATE
    SET began_at = CASE WHEN g.last_at <= excluded.last_at - interval '1 day' THEN excluded.began_at ELSE g.began_at END,
        last_at = greatest(excluded.last_at, g.last_at + interval '1 microsecond'),
        told_at = CASE WHEN g.told_at <= excluded.told_at - interval '1 day'
            THEN greatest(excluded.last_at, g.last_at + interval '1 microsecond') ELSE g.told_at END
    RETURNING g.space_id, g.last_at, g.told_at = g.last_at AS tell
), told AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at, happened_at)
    SELECT 'interactive', 'siege-notice', r.space_id, r.id, r.generation, n.last_at, n.last_at
    FROM noted n JOIN request r ON r.space_id = n.space_id AND r.activated_at IS NOT NULL
    WHERE n.tell
    RETURNING request_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT n.last_at, n.space_id, t.request_id, 'besieged', 'visitor', 'too many wrong guesses' FROM noted n, told t
