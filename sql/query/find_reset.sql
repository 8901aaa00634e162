-- The latest reset of a space whose code has one of the tags $1, while it is good.
SELECT z.request_id, z.generation, z.key_id, z.nonce, s.number, s.email
FROM reset z
JOIN request r ON r.id = z.request_id
JOIN space s ON s.id = r.space_id
WHERE z.tag = ANY ($1) AND z.used_at IS NULL AND z.expires_at > (SELECT bascule_now())
  AND NOT EXISTS (SELECT FROM reset n WHERE n.request_id = z.request_id AND n.generation > z.generation)
