-- What happened on which day in Paris, for requests of batch $1, or all where it is 0.
SELECT (e.at AT TIME ZONE 'Europe/Paris')::date AS day,
       count(*) FILTER (WHERE e.event = 'requested') AS requested,
       count(*) FILTER (WHERE e.event = 'mailed') AS mailed,
       count(*) FILTER (WHERE e.event = 'activated') AS activated,
       count(*) FILTER (WHERE e.event = 'expired') AS expired,
       count(*) FILTER (WHERE e.event = 'undeliverable') AS undeliverable,
       count(*) FILTER (WHERE e.event = 'cancelled') AS cancelled
FROM request_code r, LATERAL (VALUES ('requested', r.requested_at), ('mailed', r.mailed_at), ('activated', r.activated_at),
    ('expired', coalesce(r.expired_at, CASE WHEN request_state(r, $2) = 'expired' THEN r.expires_at END)),
    ('undeliverable', r.undeliverable_at), ('cancelled', r.cancelled_at)) AS e (event, at)
WHERE e.at IS NOT NULL AND ($1 = 0 OR r.batch_id = $1)
GROUP BY 1 ORDER BY 1
