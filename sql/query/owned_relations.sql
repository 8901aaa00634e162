-- Lists the tables and sequences of this schema that belong to the owner of the tables, without those of extensions.
SELECT quote_ident(c.relname) AS name, c.relkind = 'S' AS sequence
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND c.relowner = (SELECT relowner FROM pg_class WHERE oid = 'space'::regclass)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relkind, c.relname
