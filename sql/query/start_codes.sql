-- The codes of the mails $1 are good from now on, for $5 seconds, or $6 for what an owner changes (D4, R31); the tags $3 find them. They are
-- locked, so their rows are where they were: at the places $2. Where not $4, it is a repetition after doubt, which keeps its
-- deadline. One row tells when to look at all that start together; at invitations also at half time (D16). $7 are the campaigns
-- whose invitations they are, or 0: the day counts those that start (D13).
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), started AS (
    UPDATE code c
    SET tag = i.tag, started_at = coalesce(c.started_at, clock.now),
        expires_at = coalesce(c.expires_at, clock.now + make_interval(secs => CASE WHEN c.purpose IN ('reset', 'identifier') THEN $6::float8 ELSE $5::float8 END))
    FROM unnest($1::bigint[], $2::tid[], $3::bigint[], $4::boolean[], $7::bigint[]) AS i (id, place, tag, is_first, campaign_id), clock
    WHERE c.ctid = i.place
    RETURNING i.id, c.request_id, c.expires_at, i.is_first, i.campaign_id
), until AS (
    INSERT INTO deadline (at, until, requests)
    SELECT CASE WHEN max(campaign_id) > 0 THEN clock.now + (expires_at - clock.now) / 2 ELSE expires_at END,
           CASE WHEN max(campaign_id) > 0 THEN expires_at END, array_agg(request_id)
    FROM started, clock WHERE is_first GROUP BY expires_at, clock.now
), counted AS (
    INSERT INTO tally (campaign_id, day, started)
    SELECT campaign_id, ((SELECT now FROM clock) AT TIME ZONE 'Europe/Paris')::date, count(*)
    FROM started WHERE is_first AND campaign_id <> 0 GROUP BY campaign_id
)
SELECT id, expires_at FROM started
