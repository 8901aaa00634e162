-- Records that the mails of the obligations $1 were refused without a clear reason. A mail that was excused before is to
-- blame itself.
WITH refused AS MATERIALIZED (
    SELECT id FROM obligation WHERE id = ANY ($1)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE obligation o SET blame = CASE WHEN o.blame = 'excused' THEN 'own' ELSE 'open' END
FROM refused WHERE o.id = refused.id AND o.blame IS DISTINCT FROM 'own'
