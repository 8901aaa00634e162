-- Counts the codes of the mails $1 as mailed (I5): each mail went out three times, as far as can be known.
WITH clock AS MATERIALIZED (SELECT bascule_now() AS now), gone AS (
    DELETE FROM obligation WHERE id = ANY ($1)
    RETURNING kind, space_id, request_id, generation
), mailed AS (
    UPDATE code c SET mailed_at = clock.now, in_doubt = true, doubts = 3
    FROM gone g, clock WHERE c.request_id = g.request_id AND c.generation = g.generation
)
INSERT INTO audit (at, space_id, request_id, event, actor, why)
SELECT clock.now, space_id, request_id, CASE kind WHEN 'code' THEN 'mailed' ELSE kind || ' mailed' END, 'worker', 'in doubt' FROM gone, clock
