-- Lists what role $1 may do beyond the rights $3 on the columns $4 ('' for all) of the tables $2. Each row has the
-- statement that takes it away. It looks at the role itself, its memberships, PUBLIC, and ownership.
WITH who AS MATERIALIZED ( -- the role, and the roles that it can become
    SELECT oid, rolname, rolname = $1 AS itself, rolsuper, rolcreaterole, rolreplication, rolbypassrls
    FROM pg_roles WHERE pg_has_role($1::name, oid, 'MEMBER')
), grantee AS (
    SELECT oid, quote_ident(rolname) AS name FROM who UNION ALL SELECT 0, 'PUBLIC'
), wanted AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[]) AS w (relation, privilege, attribute)
), owner AS (
    SELECT relowner AS oid, relowner::regrole::text AS name FROM pg_class WHERE oid = 'space'::regclass
), relation AS (
    SELECT c.* FROM pg_class c, owner
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relowner = owner.oid
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), power AS (
    SELECT CASE WHEN itself THEN 'it ' ELSE 'it is a member of ' || quote_ident(rolname) || ', which ' END || p.what AS what,
           CASE WHEN itself THEN format('ALTER ROLE %I %s', rolname, p.remedy) ELSE format('REVOKE %I FROM %I', rolname, $1::text) END AS remedy
    FROM who, LATERAL (VALUES (rolsuper, 'is a superuser', 'NOSUPERUSER'), (rolcreaterole, 'may give itself roles', 'NOCREATEROLE'),
        (rolreplication, 'may replicate', 'NOREPLICATION'), (rolbypassrls, 'bypasses row security', 'NOBYPASSRLS')) AS p (has, what, remedy)
    WHERE p.has
    UNION ALL
    SELECT 'it is a member of ' || rolname, format('REVOKE %I FROM %I', rolname, $1::text)
    FROM who WHERE rolname IN ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
), owned AS (
    SELECT 'it owns the ' || o.kind || ' ' || o.name AS what, format('ALTER %s %s OWNER TO %s', upper(o.kind), o.name, owner.name) AS remedy
    FROM owner, who, LATERAL (
        SELECT 'database', quote_ident(datname), datdba FROM pg_database WHERE datname = current_database()
        UNION ALL SELECT 'schema', quote_ident(nspname), nspowner FROM pg_namespace WHERE nspname = current_schema()
        UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, oid::regclass::text, relowner
                  FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL SELECT 'function', oid::regprocedure::text, proowner FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    ) AS o (kind, name, oid)
    WHERE o.oid = who.oid
), given AS ( -- an object, its rights as they were granted, and which of them are wanted
    SELECT 'DATABASE ' || quote_ident(datname) AS object, datdba AS object_owner, a.*, a.privilege_type <> 'CREATE' AS is_wanted
    FROM pg_database, aclexplode(datacl) a WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA ' || quote_ident(nspname), nspowner, a.*, a.privilege_type <> 'CREATE'
    FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = current_schema()
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || r.oid::regclass, r.relowner, a.*,
           EXISTS (SELECT FROM wanted w WHERE w.relation = r.relname AND w.privilege = a.privilege_type AND w.attribute = '')
    FROM relation r, aclexplode(r.relacl) a
    UNION ALL
    SELECT 'COLUMN ' || quote_ident(t.attname) || ' OF ' || r.oid::regclass, r.relowner, a.*,
           EXISTS (SELECT FROM wanted w WHERE w.relation = r.relname AND w.privilege = a.privilege_type AND w.attribute IN ('', t.attname))
    FROM relation r JOIN pg_attribute t ON t.attrelid = r.oid AND NOT t.attisdropped, aclexplode(t.attacl) a
    UNION ALL -- a caller gets the rights of the tables' owner; ours does one harmless thing, and Grant says who calls it
    SELECT 'FUNCTION ' || p.oid::regprocedure, p.proowner, a.*,
           p.proname = 'analyze_filled' AND p.pronargs = 0 AND p.pronamespace = current_schema()::regnamespace AND a.grantee <> 0
    FROM pg_proc p, owner, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      AND pg_has_role(p.proowner, owner.oid, 'MEMBER')
    UNION ALL -- rights on what the next migration makes
    SELECT 'every new ' || CASE d.defaclobjtype WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, d.defaclrole, a.*, false
    FROM pg_default_acl d, owner, aclexplode(d.defaclacl) a
    WHERE d.defaclrole = owner.oid AND d.defaclobjtype IN ('r', 'S') AND d.defaclnamespace IN (0, current_schema()::regnamespace)
), excess AS (
    SELECT 'it has ' || privilege_type || ' on ' || object || ', granted to ' || g.name || ' by ' || grantor::regrole AS what,
           CASE WHEN object LIKE 'every new %'
               THEN format('ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE %s ON %sS FROM %s', owner.name, privilege_type, substr(object, 11), g.name)
               WHEN object LIKE 'COLUMN %' -- a grant by another role than the owner ends with that role's grant option
               THEN format('REVOKE %s (%s) ON %s FROM %s', privilege_type, split_part(substr(object, 8), ' OF ', 1), split_part(object, ' OF ', 2), g.name)
               WHEN grantor <> object_owner
               THEN format('REVOKE GRANT OPTION FOR %s ON %s FROM %s CASCADE', privilege_type, object, grantor::regrole)
               ELSE format('REVOKE %s ON %s FROM %s', privilege_type, object, g.name) || CASE WHEN is_grantable THEN ' CASCADE' ELSE '' END END AS remedy
    FROM given JOIN grantee g ON g.oid = grantee, owner
    WHERE NOT is_wanted AND g.oid <> owner.oid
), set_up AS (
    SELECT 'it starts with ' || c.setting || ', so that triggers do not run' AS what,
           CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET session_replication_role', current_database())
                ELSE format('ALTER ROLE %I%s RESET session_replication_role', $1::text,
                    CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) ELSE '' END) END AS remedy
    FROM pg_db_role_setting s, unnest(s.setconfig) AS c (setting)
    WHERE s.setrole IN (SELECT 0::oid UNION ALL SELECT oid FROM who WHERE itself) AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND c.setting = 'session_replication_role=replica'
)
SELECT what, remedy FROM power
UNION ALL SELECT what, remedy FROM owned
UNION ALL SELECT what, remedy FROM excess
UNION ALL SELECT what, remedy FROM set_up
