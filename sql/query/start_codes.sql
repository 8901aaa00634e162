-- Makes the codes of the mails $1 good from now on, for $5 seconds, or $6 to reset or to change an identifier (D4, R31).
-- The tags $3 find them. The codes are locked, so their rows are still at the places $2. Where $4 is false, the mail is a
-- repetition after doubt, and the code keeps its deadline. One row of deadline tells when to look at up to 64 codes that
-- start together, for invitations also at half time (D16). $7 are the campaigns of invitations, or 0: the tally counts how
-- many start on a day (D13).
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), started AS (
    UPDATE code c
    SET tag = i.tag, started_at = coalesce(c.started_at, clock.now),
        expires_at = coalesce(c.expires_at, clock.now + make_interval(secs => CASE WHEN c.purpose IN ('reset', 'identifier') THEN $6::float8 ELSE $5::float8 END))
    FROM unnest($1::bigint[], $2::tid[], $3::bigint[], $4::boolean[], $7::bigint[]) WITH ORDINALITY AS i (id, place, tag, is_first, campaign_id, nth), clock
    WHERE c.ctid = i.place
    RETURNING i.id, c.request_id, c.expires_at, i.is_first, i.campaign_id, i.nth
), until AS (
    INSERT INTO deadline (at, until, requests)
    SELECT CASE WHEN max(campaign_id) > 0 THEN clock.now + (expires_at - clock.now) / 2 ELSE expires_at END,
           CASE WHEN max(campaign_id) > 0 THEN expires_at END, array_agg(request_id)
    FROM started, clock WHERE is_first GROUP BY expires_at, clock.now, (nth - 1) / 64
), counted AS (
    INSERT INTO tally (campaign_id, day, started)
    SELECT campaign_id, ((SELECT now FROM clock) AT TIME ZONE 'Europe/Paris')::date, count(*)
    FROM started WHERE is_first AND campaign_id <> 0 GROUP BY campaign_id
)
SELECT id, expires_at FROM started
