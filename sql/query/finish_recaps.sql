-- Keeps the rendered recaps $3 (hashes $4) of the obligations $2 of token $1. A confirmation mail carries each to its
-- owner.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), done AS MATERIALIZED (
    SELECT o.id, o.space_id, o.request_id, o.generation, i.pdf, i.hash
    FROM unnest($2::bigint[], $3::bytea[], $4::bytea[]) AS i (id, pdf, hash)
    JOIN obligation o ON o.id = i.id
    WHERE o.claim = $1
    FOR UPDATE OF o
), rendered AS (
    UPDATE recap p SET pdf = d.pdf, sha256 = d.hash, rendered_at = clock.now
    FROM done d, clock WHERE p.request_id = d.request_id AND p.pdf IS NULL
), mail AS (
    INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
    SELECT 'interactive', 'confirmation', space_id, request_id, generation, clock.now FROM done, clock
), audited AS (
    INSERT INTO audit (at, space_id, request_id, event, actor, why)
    SELECT clock.now, space_id, request_id, 'recap ready', 'worker', 'rendered' FROM done, clock
)
DELETE FROM obligation o USING done d WHERE o.id = d.id
