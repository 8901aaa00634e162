-- Lists the exclusions that hold now. The lock keeps others from replacing or lifting them before the transaction ends.
SELECT kind, key, reason, made_at, made_by, nullif(ends_at, 'infinity') AS ends_at
FROM exclusion WHERE ends_at > (SELECT bascule_now())
ORDER BY id FOR UPDATE
