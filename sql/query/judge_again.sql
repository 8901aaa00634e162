-- Rows that the database was asked about have no verdict again.
DELETE FROM judged WHERE action IS NOT NULL
