-- Lists every rendered recap.
SELECT p.request_id, s.number, p.facts, p.pdf
FROM recap p JOIN request r ON r.id = p.request_id JOIN space s ON s.id = r.space_id
WHERE p.pdf IS NOT NULL
ORDER BY p.request_id
