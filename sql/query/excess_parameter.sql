-- Tells whether role $1, or a role that it can become, may switch triggers off for its session. Needs PostgreSQL 15 or
-- newer.
SELECT EXISTS (SELECT FROM pg_roles WHERE pg_has_role($1::name, oid, 'MEMBER') AND has_parameter_privilege(oid, 'session_replication_role', 'SET'))
