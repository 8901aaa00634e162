-- Tells whether more than $1 accepted rows ask for a mail that no campaign holds: theirs is running.
SELECT count(*) > $1 FROM (
    SELECT FROM judged j JOIN request r ON r.id = j.request_id
    WHERE j.verdict = 'accepted' AND j.action <> 'update' AND NOT EXISTS (SELECT FROM campaign c WHERE c.id = r.campaign_id AND c.state <> 'running')
    LIMIT $1 + 1) AS leaving
