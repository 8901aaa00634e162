-- The addresses of the mails $2 of token $1 were refused for good, with the words $3 and the codes $4 (D11).
-- A chosen address is dropped and its request falls back to the contact code; a contact address ends its request.
-- A request whose code was typed meanwhile goes on. Recap and notice mails never change a request. Tells how many are left
-- because somebody holds their requests.
WITH clock AS MATERIALIZED (
    SELECT bascule_now() AS now
), refused AS MATERIALIZED (
    SELECT o.id, o.kind, o.copy, o.request_id, o.generation, r.expires_at, i.words, i.code,
           o.kind = 'code' AND o.copy = 0 AND o.generation = request_current(r) AND request_is_open(r) AND r.mailed_at IS NOT NULL AS stands
    FROM unnest($2::bigint[], $3::text[], $4::text[]) AS i (id, words, code)
    JOIN obligation o ON o.id = i.id
    JOIN request r ON r.id = o.request_id
    WHERE o.claim = $1
    ORDER BY r.id -- all who lock several requests do so in this order
    FOR UPDATE OF o, r SKIP LOCKED
), fallen AS (
    UPDATE request r
    SET chosen_email = NULL, chosen_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL,
        refusal = f.words, in_doubt = false, bounced_at = NULL, bounce = NULL,
        started_at = c.started_at, expires_at = c.expires_at, mailed_at = c.started_at
    FROM refused f
    JOIN code c ON c.request_id = f.request_id
    WHERE f.kind = 'code' AND f.copy = 0 AND r.id = f.request_id AND f.generation = r.generation AND r.chosen_key IS NOT NULL
      AND r.contact_generation < r.generation AND c.generation = r.contact_generation
      AND request_is_open(r) AND r.mailed_at IS NULL
    RETURNING r.id, r.space_id, r.contact_generation, r.expires_at, f.code
), expiry AS (
    INSERT INTO obligation (lane, kind, request_id, generation, due_at)
    SELECT 'expiry', 'expiry', id, contact_generation, expires_at FROM fallen
), ended AS (
    UPDATE request r
    SET undeliverable_at = clock.now, refusal = f.words, password_hash = NULL, question = NULL, answer_hash = NULL
    FROM refused f, clock
    WHERE f.kind = 'code' AND f.copy = 0 AND r.id = f.request_id AND f.generation = request_current(r)
      AND NOT EXISTS (SELECT FROM code c WHERE c.request_id = r.id AND c.generation = r.contact_generation AND c.generation < r.generation)
      AND request_is_open(r) AND r.mailed_at IS NULL
    RETURNING r.id, r.space_id, f.code
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, id, 'address dropped', 'worker', code FROM fallen, clock
    UNION ALL
    SELECT clock.now, space_id, id, 'undeliverable', 'worker', code FROM ended, clock
    UNION ALL
    SELECT clock.now, r.space_id, r.id, f.kind || ' refused', 'worker', f.code
    FROM refused f JOIN request r ON r.id = f.request_id, clock
    WHERE f.kind <> 'code' OR f.copy > 0
), kept AS (
    UPDATE obligation o
    SET lane = 'expiry', kind = 'expiry', due_at = f.expires_at, claim = NULL, claimed_until = NULL, started_at = NULL, blame = NULL
    FROM refused f WHERE o.id = f.id AND f.stands
), gone AS (
    DELETE FROM obligation o USING refused f WHERE o.id = f.id AND NOT f.stands
)
SELECT count(*) FROM obligation o WHERE o.id = ANY ($2) AND o.claim = $1 AND o.id NOT IN (SELECT id FROM refused)
