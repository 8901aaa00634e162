-- Locks those of the campaigns $1 that are not running, and those of the exclusions $2 that hold: mails wait for them. Who
-- resumes such a campaign or ends such an exclusion waits for this transaction, and wakes the mails afterwards.
WITH stopped AS MATERIALIZED (
    SELECT id FROM campaign WHERE id = ANY ($1) AND state <> 'running' ORDER BY id FOR SHARE
), alone AS MATERIALIZED (
    SELECT id FROM exclusion WHERE id = ANY ($2) AND ends_at > (SELECT bascule_now()) ORDER BY id FOR SHARE
)
SELECT ARRAY(SELECT id FROM stopped), ARRAY(SELECT id FROM alone)
