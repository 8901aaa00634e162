-- Lists the companies of space $1 without their services, counts the services of all, and reads one company whole. That one
-- has SIREN $2, or is the first.
SELECT coalesce(jsonb_agg(c.company - 'services' ORDER BY c.n) FILTER (WHERE c.n IS NOT NULL), '[]') AS companies,
       coalesce(sum(CASE jsonb_typeof(c.company -> 'services') WHEN 'array' THEN jsonb_array_length(c.company -> 'services') ELSE 0 END), 0) AS services,
       coalesce((array_agg(c.company ORDER BY c.company ->> 'siren' <> $2, c.n))[1], 'null') AS chosen
FROM space s LEFT JOIN LATERAL jsonb_array_elements(s.companies) WITH ORDINALITY AS c (company, n) ON true
WHERE s.id = $1
GROUP BY s.id
