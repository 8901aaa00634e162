package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

// A Worker is a process that mails, and has not said that it stopped.
type Worker struct {
	Version string // of the program that it runs
	Texts   string // digest of the texts that its mails are made of
	Silent  time.Duration
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
func (db *DB) NoteWorker(ctx context.Context, id, version, texts string) error {
	if _, err := db.x.ExecContext(ctx, noteWorker, id, version, texts); err != nil {
		return fmt.Errorf("say that this worker is alive: %w", err)
	}
	return nil
}

// ForgetWorker says that a worker stops.
func (db *DB) ForgetWorker(ctx context.Context, id string) error {
	if _, err := db.x.ExecContext(ctx, `DELETE FROM worker WHERE id = $1`, id); err != nil {
		return fmt.Errorf("say that this worker stops: %w", err)
	}
	return nil
}

// Workers are those that did not stop, the one that was heard of last first. One that is
// silent for longer than WorkerSilence has died.
func (db *DB) Workers(ctx context.Context) (list []Worker, err error) {
	var rows []struct {
		Version string  `db:"version"`
		Texts   string  `db:"texts"`
		Silent  float64 `db:"silent"`
	}
	if err := db.x.SelectContext(ctx, &rows, workers); err != nil {
		return nil, fmt.Errorf("list the workers: %w", err)
	}
	for _, r := range rows {
		list = append(list, Worker{r.Version, r.Texts, time.Duration(r.Silent * float64(time.Second))})
	}
	return list, nil
}
