-- The mails of the obligations $1 were refused without a clear reason, and another one got through after them.
WITH refused AS MATERIALIZED (
    SELECT id FROM obligation WHERE id = ANY ($1)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE obligation o SET blame = 'own' FROM refused WHERE o.id = refused.id
