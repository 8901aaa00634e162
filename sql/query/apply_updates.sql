-- Brings known certificate spaces up to date, for batch $1, by $2. An open request that waits for its code, or for the
-- subscriber, belongs to batch $1 from now on.
WITH updated AS (
    UPDATE space k
    SET holder = s.holder, contact_email = s.email, contact_key = s.email_key, serial = s.serial, issuer = s.issuer,
        certificate_expires = s.expires, priority = s.priority, companies = coalesce(d.companies, k.companies), contents = s.contents::uuid
    FROM judged j JOIN staged s USING (line) LEFT JOIN dossier d USING (number)
    WHERE k.id = j.space_id AND j.verdict = 'accepted' AND j.action IN ('restart', 'redirect', 'update') AND k.access = 'certificate'
    RETURNING k.id, k.priority, k.certificate_expires, j.action, j.request_id
), reordered AS (
    UPDATE held h SET priority = u.priority, expires = u.certificate_expires
    FROM updated u WHERE u.action = 'update' AND h.request_id = u.request_id AND (h.priority, h.expires) <> (u.priority, u.certificate_expires)
), moved AS (
    UPDATE request r SET batch_id = $1
    FROM updated u WHERE u.action = 'update' AND r.id = u.request_id AND request_is_open(r)
    RETURNING r.id, r.space_id
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT (SELECT bascule_now()), space_id, id, 'data updated', $2, 'batch ' || $1::bigint FROM moved
