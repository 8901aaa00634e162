-- Whether role $1, or one that it can become, may switch triggers off for its session. PostgreSQL 15 and newer.
SELECT EXISTS (SELECT FROM pg_roles WHERE pg_has_role($1::name, oid, 'MEMBER') AND has_parameter_privilege(oid, 'session_replication_role', 'SET'))
