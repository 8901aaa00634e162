-- Opens further requests of known spaces, for batch $1, as judged in round $2, by $6. A space with another request opened
-- since gets none. Requests belong to campaign $3 if $4 (somebody named it). Otherwise they belong to the campaign of their
-- space's latest request; if that is not open, to $3 (D12). They wait for it, with first codes of key id $5.
WITH wanted AS MATERIALIZED (
    SELECT clock.now, j.space_id, j.request_id, coalesce(c.id, $3) AS campaign_id, s.email, s.email_key, s.nonce, s.tag, s.priority, s.expires
    FROM judged j JOIN staged s USING (line) LEFT JOIN LATERAL (
        SELECT l.campaign_id AS id
        FROM (SELECT r.campaign_id FROM request r WHERE r.space_id = j.space_id ORDER BY r.id DESC LIMIT 1) AS l
        WHERE NOT $4 AND campaign_is_open(l.campaign_id)
    ) AS c ON true, (SELECT bascule_now() AS now) AS clock
    WHERE j.round = $2 AND j.verdict = 'accepted' AND j.action = 'restart'
    ORDER BY j.line
), request AS (
    INSERT INTO request (id, space_id, batch_id, campaign_id, origin, requested_at) OVERRIDING SYSTEM VALUE
    SELECT request_id, space_id, $1, campaign_id, 'import', now FROM wanted
    ON CONFLICT DO NOTHING
    RETURNING id
), opened AS MATERIALIZED (
    SELECT w.* FROM wanted w JOIN request r ON r.id = w.request_id ORDER BY w.request_id
), code AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, tag)
    SELECT request_id, 1, 'identify', email, email_key, $5, nonce, tag FROM opened
), held AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
    SELECT request_id, 1, space_id, campaign_id, priority, expires, invited_until(space_id, email_key, request_id) FROM opened
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT now, space_id, request_id, 'requested', $6, 'batch ' || $1::bigint FROM opened
