package sql

import (
	"context"
	_ "embed"
	"time"
)

// A Worker is a process that mails, and has not said that it stopped.
type Worker struct {
	Version string        `db:"version"` // of the program that it runs
	Texts   string        `db:"texts"`   // digest of the texts that its mails are made of
	Trouble string        `db:"trouble"` // what to do about Redis, without which it does not work; "" while that answers
	Silent  time.Duration `db:"silent"`
}

// WorkerSilence is how long a worker that is alive may be silent.
const WorkerSilence = time.Minute

var (
	//go:embed query/note_worker.sql
	noteWorker string
	//go:embed query/workers.sql
	workers string
)

// NoteWorker says that the worker of an id, a UUID, is alive. Of its first call, version
// and texts stay on record.
func (db *DB) NoteWorker(ctx context.Context, id string, w Worker) error {
	return wrap(db.exec(ctx, noteWorker, id, w.Version, w.Texts, w.Trouble), "say that this worker is alive")
}

// ForgetWorker says that a worker stops.
func (db *DB) ForgetWorker(ctx context.Context, id string) error {
	return wrap(db.exec(ctx, `DELETE FROM worker WHERE id = $1`, id), "say that this worker stops")
}

// Workers are those that did not stop, the one that was heard of last first. One that is
// silent for longer than WorkerSilence has died.
func (db *DB) Workers(ctx context.Context) (list []Worker, err error) {
	err = db.x.SelectContext(ctx, &list, workers)
	return list, wrap(err, "list the workers")
}
