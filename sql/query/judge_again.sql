-- Rows that the database was asked about have no verdict again.
UPDATE staged SET verdict = NULL WHERE action IS NOT NULL
