-- Opens the requests of new spaces, for batch $1 and campaign $2. Nobody else knows these spaces yet.
INSERT INTO request (id, space_id, batch_id, campaign_id, origin, requested_at) OVERRIDING SYSTEM VALUE
SELECT request_id, space_id, $1, $2, 'import', clock.now
FROM judged, (SELECT bascule_now() AS now) AS clock
WHERE verdict = 'accepted' AND action = 'new'
