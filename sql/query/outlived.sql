-- Lists the locked requests whose rows, judged in round $1, ask for a request of another campaign: their own is over (D12).
SELECT c.held_id FROM contested c JOIN judged j USING (line)
WHERE j.round = $1 AND j.verdict = 'accepted' AND j.action = 'restart' AND c.held_id IS NOT NULL
