package sql

import "github.com/jmoiron/sqlx"

// ByIndex is what a worker's connections are set to.
const ByIndex = byIndex

// RowByRow is what the transaction of a report is set to, and ReportRequests what
// it reads.
const RowByRow = inMemory + ";" + rowByRow

var ReportRequests = reportRequests

// ImportLock is what imports wait for each other by. The locks of other commands are
// below it, down to SpaceLocks.
const (
	ImportLock = importLock
	SpaceLocks = spaceLocks
)

// The turns of workers that start or finish many mails, and how many are few.
const (
	StartLock  = startLock
	FinishLock = finishLock
	FewMails   = fewMails
)

// Pool is the pool of connections itself.
func (db *DB) Pool() *sqlx.DB { return db.x }

// KeysOnly is what the transaction of an import is set to before it looks at what the
// database holds, and Stage makes its tables.
const KeysOnly = keysOnly

var Stage = stage
