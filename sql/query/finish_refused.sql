-- Records that the addresses of the mails $2 of the tokens $1 were refused for good, with the words $3 and the codes $4 (D11).
-- If the address was chosen, it is dropped and its request falls back to the contact's code. If it is the contact's, its
-- request ends. A code that was typed meanwhile goes on. Other mails never change a request. Lists the mails that are left
-- because somebody holds their requests.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), refused AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.space_id, o.request_id, o.generation, o.interruptions, i.words, i.code,
           o.kind IN ('code', 'reset', 'identifier') AND c.mailed_at IS NULL AS ends_code,
           o.kind = 'code' AND c.mailed_at IS NULL AND request_is_open(r) AND r.generation = o.generation AS counts,
           (SELECT max(k.generation) FROM code k
            WHERE k.request_id = o.request_id AND k.generation < o.generation AND k.void_at IS NULL) AS fallback
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS i (token, id, words, code)
    JOIN obligation o ON o.id = i.id AND o.claim = i.token
    JOIN request r ON r.id = o.request_id
    JOIN code c ON c.request_id = o.request_id AND c.generation = o.generation
    FOR UPDATE OF o, r, c SKIP LOCKED
), fallen AS (
    UPDATE request r SET generation = f.fallback, password_hash = NULL, question = NULL, answer_hash = NULL
    FROM refused f WHERE r.id = f.request_id AND f.counts AND f.fallback IS NOT NULL
    RETURNING r.id, r.generation, f.words
), reminder AS ( -- the deadline of the contact's code may be gone, if it has passed
    INSERT INTO deadline (at, requests)
    SELECT k.expires_at, ARRAY[f.id] FROM fallen f JOIN code k ON k.request_id = f.id AND k.generation = f.generation
), ended AS (
    UPDATE request r SET undeliverable_at = clock.now, password_hash = NULL, question = NULL, answer_hash = NULL
    FROM refused f, clock WHERE r.id = f.request_id AND f.counts AND f.fallback IS NULL
), marked AS (
    UPDATE code c SET refusal = k.words, void_at = k.void_at, doubts = coalesce(k.interruptions, c.doubts)
    FROM (SELECT f.request_id, f.generation, f.words, clock.now AS void_at, f.interruptions FROM refused f, clock WHERE f.ends_code
          UNION ALL SELECT id, generation, words, NULL, NULL FROM fallen) AS k
    WHERE c.request_id = k.request_id AND c.generation = k.generation AND c.void_at IS NULL
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, f.space_id, f.request_id, CASE
               WHEN f.kind <> 'code' OR f.copy > 0 THEN f.kind || ' refused'
               WHEN f.fallback IS NOT NULL THEN 'address dropped'
               ELSE 'undeliverable' END, 'worker', f.code
    FROM refused f, clock WHERE f.counts OR f.kind <> 'code' OR f.copy > 0 ORDER BY f.id
), gone AS (
    DELETE FROM obligation o USING refused f WHERE o.id = f.id
)
SELECT i.id FROM unnest($1::uuid[], $2::bigint[]) AS i (token, id) JOIN obligation o ON o.id = i.id AND o.claim = i.token
WHERE i.id NOT IN (SELECT id FROM refused)
