-- Makes the first codes, of key id $2, of the requests that open_again has opened in round $1, by $3. They wait for their
-- campaign. This is a statement of its own, as it finds the requests by their key: rows of a statement that are not stored
-- yet have none. Minutes may lie between the two: the entry in the audit log is of this one. $4 tells whether somebody named
-- the number (D16).
WITH opened AS MATERIALIZED (
    SELECT r.id, r.space_id, r.batch_id, r.campaign_id, s.email, s.email_key, s.nonce, s.tag, s.priority, s.expires
    FROM judged j JOIN staged s USING (line) JOIN request r ON r.id = j.request_id
    WHERE j.round = $1 AND j.verdict = 'accepted' AND j.action = 'restart'
    ORDER BY r.id
), code AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, tag)
    SELECT id, 1, 'identify', email, email_key, $2, nonce, tag FROM opened
), held AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires, not_before)
    SELECT id, 1, space_id, campaign_id, priority, expires, CASE WHEN NOT $4 THEN invited_until(space_id, email_key) END FROM opened
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT (SELECT bascule_now()), space_id, id, 'requested', $3, 'batch ' || batch_id FROM opened
