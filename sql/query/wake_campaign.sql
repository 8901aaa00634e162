-- Makes the mails due again that campaign $1 put off while it was not running. Their start looks at exclusions anew.
WITH waiting AS (
    UPDATE obligation o SET due_at = clock.now
    FROM (SELECT bascule_now() AS now) AS clock
    WHERE o.campaign_id = $1 AND o.due_at = 'infinity'
    RETURNING 1
)
INSERT INTO tally (to_send) SELECT count(*) FROM waiting HAVING count(*) > 0
