-- What retry and resend would do at instant $2 after the latest request of space $1.
SELECT retry_obstacle(r, s, $2, false, true) AS retry, retry_obstacle(r, s, $2, true, true) AS retry_same_address,
       coalesce((SELECT c.resends FROM code c WHERE c.request_id = r.id AND c.generation = request_current(r)), 0) AS resends,
       coalesce(code_left_alone(r, $2), false) AS left_alone,
       r.chosen_key IS NOT NULL AS chose, coalesce(r.chosen_key <> s.contact_key, false) AS chose_other
FROM space s LEFT JOIN request r ON r.id = (SELECT max(id) FROM request WHERE space_id = s.id)
WHERE s.id = $1
