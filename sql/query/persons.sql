-- Lists the persons who have roles, by account.
SELECT account, name, roles FROM (SELECT DISTINCT ON (account) account, name, roles FROM person ORDER BY account, id DESC) AS latest
WHERE roles <> '{}' ORDER BY account
