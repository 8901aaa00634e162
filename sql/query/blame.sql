-- Blames the mails of the obligations $1 themselves: they were refused without a clear reason, and another mail got through
-- after them.
WITH refused AS MATERIALIZED (
    SELECT id FROM obligation WHERE id = ANY ($1)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE obligation o SET blame = 'own' FROM refused WHERE o.id = refused.id
