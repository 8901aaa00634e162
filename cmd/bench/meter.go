package main

import (
	"context"
	"time"
)

// A statement is the cost of one statement, as pg_stat_statements tells it.
type statement struct {
	Query      string `json:",omitempty"`
	Calls      float64
	Rows       float64
	PlanMS     float64
	ExecMS     float64
	Pages      float64 // shared buffers found or read
	WALRecords float64
	WALBytes   float64
}

// A meter measures costs from its start until read.
type meter struct {
	*site
	processes   []*process
	before      map[*process]usage // of the processes at the start
	postgresCPU time.Duration
	redisCPU    time.Duration
	wal         int
}

// meter begins a measurement, after a checkpoint and with all counters at zero.
func (s *site) meter(ctx context.Context, processes ...*process) (*meter, error) {
	m := &meter{site: s, processes: processes, before: make(map[*process]usage)}
	if err := execute(ctx, s.db, checkpoint, `SELECT pg_stat_statements_reset()`); err != nil {
		return nil, err
	}
	var err error
	if m.wal, err = m.walPosition(ctx); err != nil {
		return nil, err
	}
	m.postgresCPU, m.redisCPU = cpuOfTree(s.postmaster), cpuOf(s.redisPID)
	for _, p := range processes {
		m.before[p] = p.now()
	}
	return m, nil
}

func (m *meter) walPosition(ctx context.Context) (int, error) {
	return m.db.count(ctx, `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn`)
}

// add counts a process that started later.
func (m *meter) add(p *process) { m.processes = append(m.processes, p) }

// topStatements is how many statements the report shows.
const topStatements = 8

// read ends the measurement of so many rows.
func (m *meter) read(ctx context.Context, rows int) (*detail, error) {
	n := float64(max(rows, 1))
	d := &detail{Memory: make(map[string]float64), CPU: make(map[string]float64)}
	d.CPU["PostgreSQL"] = float64((cpuOfTree(m.postmaster) - m.postgresCPU).Microseconds()) / n
	d.CPU["Redis"] = float64((cpuOf(m.redisPID) - m.redisCPU).Microseconds()) / n
	for _, p := range m.processes {
		u := p.now()
		d.CPU[p.name] += float64((u.cpu - m.before[p].cpu).Microseconds()) / n
		d.Memory[p.name] = max(d.Memory[p.name], float64(u.peak)/1e6)
	}
	wal, err := m.walPosition(ctx)
	if err != nil {
		return nil, err
	}
	d.WAL = float64(wal-m.wal) / n
	return d, m.statements(ctx, n, d)
}

// statements reads on which statements PostgreSQL spent its time. It leaves out the
// bench's own.
func (m *meter) statements(ctx context.Context, n float64, d *detail) error {
	rows, err := m.db.QueryContext(ctx, `
		SELECT left(regexp_replace(query, '\s+', ' ', 'g'), 110), calls, rows, total_plan_time, total_exec_time,
		       shared_blks_hit + shared_blks_read, wal_records, wal_bytes
		FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND r.rolname = $1
		ORDER BY total_plan_time + total_exec_time DESC`, application)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s statement
		if err := rows.Scan(&s.Query, &s.Calls, &s.Rows, &s.PlanMS, &s.ExecMS, &s.Pages, &s.WALRecords, &s.WALBytes); err != nil {
			return err
		}
		if len(d.Statements) < topStatements {
			d.Statements = append(d.Statements, s)
		}
		d.PerRow.add(s, n)
	}
	return rows.Err()
}

// add adds a share of another statement's figures.
func (s *statement) add(o statement, n float64) {
	s.Calls += o.Calls / n
	s.Rows += o.Rows / n
	s.PlanMS += o.PlanMS / n
	s.ExecMS += o.ExecMS / n
	s.Pages += o.Pages / n
	s.WALRecords += o.WALRecords / n
	s.WALBytes += o.WALBytes / n
}
