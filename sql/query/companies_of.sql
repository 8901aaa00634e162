-- The companies of space $1: all without their services, how many services they have together, and whole the one with SIREN
-- $2, else the first.
SELECT coalesce(jsonb_agg(c.company - 'services' ORDER BY c.n) FILTER (WHERE c.n IS NOT NULL), '[]') AS companies,
       coalesce(sum(CASE jsonb_typeof(c.company -> 'services') WHEN 'array' THEN jsonb_array_length(c.company -> 'services') ELSE 0 END), 0) AS services,
       coalesce((array_agg(c.company ORDER BY c.company ->> 'siren' <> $2, c.n))[1], 'null') AS chosen
FROM space s LEFT JOIN LATERAL jsonb_array_elements(s.companies) WITH ORDINALITY AS c (company, n) ON true
WHERE s.id = $1
GROUP BY s.id
