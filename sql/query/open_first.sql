-- Makes the new spaces, for batch $1 and campaign $2. Their requests wait for the campaign, with first codes of key id $3.
-- $4 is the actor. Imports run one at a time, nothing else makes spaces, and nobody else knows these yet. Rows lie in the
-- order in which invitations leave: a window of mails visits neighbours.
WITH made AS MATERIALIZED (
    SELECT bascule.now, j.space_id, j.request_id, s.*, d.companies
    FROM judged j JOIN staged s USING (line) LEFT JOIN dossier d USING (number), (SELECT bascule_now() AS now) AS bascule
    WHERE j.verdict = 'accepted' AND j.action = 'new'
    ORDER BY j.space_id
), space AS (
    INSERT INTO space (id, number, holder, contact_email, contact_key, serial, issuer, certificate_expires, priority, companies, contents)
    OVERRIDING SYSTEM VALUE
    SELECT space_id, number, holder, email, email_key, serial, issuer, expires, priority, coalesce(companies, '[]'), contents::uuid FROM made
), request AS (
    INSERT INTO request (id, space_id, batch_id, campaign_id, origin, requested_at) OVERRIDING SYSTEM VALUE
    SELECT request_id, space_id, $1, $2, 'import', now FROM made
), code AS (
    INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, tag)
    SELECT request_id, 1, 'identify', email, email_key, $3, nonce, tag FROM made
), held AS (
    INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
    SELECT request_id, 1, space_id, $2, priority, expires FROM made
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT now, space_id, request_id, 'requested', $4, 'batch ' || $1::bigint FROM made
