package simulation

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/internal/web"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// An office is everything that runs: the database with its clock, the pages, a worker
// taken apart, and the relay. The parts of the worker look when the clock says.
type office struct {
	t       *testing.T
	db      *sqltest.DB
	keys    *conversion.Keyring
	help    assistance.Hours
	log     *devtest.Log
	relay   *relay
	pages   *sql.DB
	web     http.Handler
	bounces string // the folder of mails that came back

	worker   *jobs.Worker
	recapper *jobs.Recapper
	expirer  *jobs.Expirer
	inviter  *jobs.Inviter
	cleaner  *jobs.Cleaner
	watcher  *jobs.Watcher
	bouncer  *jobs.Bouncer
}

const lifetime = conversion.DefaultCodeLifetime

func newOffice(t *testing.T, s *simulation) *office {
	o := &office{t: t, db: sqltest.Open(t), keys: sqltest.Keys(t), log: &devtest.Log{}, bounces: t.TempDir()}
	o.relay = newRelay(t, s.mailbox)
	o.db.Freeze(t, s.now)
	var err error
	if o.help, err = assistance.Parse("Mon-Fri 08:00-19:30"); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(o.log, nil))
	o.pages = o.db.Pages(t)
	site, err := web.New(web.Config{DB: o.pages, Keys: o.keys, PublicURL: &url.URL{Scheme: "https", Host: "espace.example"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o.web = site.Handler()
	db, err := sql.OpenWork(t.Context(), sqltest.As(t, o.db.URL, sqltest.Application), 12)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o.hire(db, log)
	return o
}

// hire makes a worker, as cmd does, and the parts that the worker makes itself.
func (o *office) hire(db *sql.DB, log *slog.Logger) {
	host, port, _ := bytes.Cut([]byte(o.relay.addr), []byte(":"))
	relay := smtp.NewClient(smtp.Config{Host: string(host), Port: string(port), TLS: smtp.TLSOff, Hello: "worker.example"}, 4)
	o.t.Cleanup(relay.Close)
	composer, err := mail.NewComposer(mail.Office{From: mail.Sender{Name: "Espace abonné", Address: sqltest.Email(o.t, "ne-pas-repondre@bascule.example")},
		PublicURL: "https://espace.example", Help: "Assistance : 01 00 00 00 00"})
	if err != nil {
		o.t.Fatal(err)
	}
	mailer := &jobs.Mailer{DB: db, Keys: o.keys, Relay: relay, Composer: composer, Domain: "espace.example", Help: o.help, Lifetime: lifetime,
		ReturnPath: sqltest.Email(o.t, "retours@espace.example"), SignBounce: true, Now: time.Now, Log: log}
	o.worker = &jobs.Worker{DB: db, Mailer: mailer, Slots: queue.Slots{Interactive: 2, Batch: 4}, Log: log}
	o.recapper, o.expirer = &jobs.Recapper{DB: db, Log: log}, &jobs.Expirer{DB: db, Log: log}
	o.inviter, o.cleaner = &jobs.Inviter{DB: db, Keys: o.keys, Log: log}, &jobs.Cleaner{DB: db, Log: log}
	o.watcher = &jobs.Watcher{Mailer: mailer}
	o.bouncer = &jobs.Bouncer{DB: db, Keys: o.keys, Dir: o.bounces, Now: func() time.Time { return time.Now().Add(time.Minute) }, Log: log}
}

// do does the work of wake-ups, until nothing is due.
func (o *office) do(ctx context.Context) error {
	for range 1000 {
		if _, err := o.worker.DB.Release(ctx, o.help, lifetime); err != nil {
			return err
		}
		lanes, err := o.worker.DB.Due(ctx, 1)
		if err != nil {
			return err
		}
		busy := false
		for _, lane := range lanes {
			isMail := lane.Lane == sql.LaneInteractive || lane.Lane == sql.LaneBulk
			if lane.Count == 0 || isMail && lane.BreakerOpen && !lane.ProbeDue {
				continue
			}
			busy = true
			if err := o.doIn(ctx, lane.Lane); err != nil {
				return err
			}
		}
		if !busy {
			return nil
		}
	}
	o.t.Error("work that is due stays due")
	return nil
}

func (o *office) doIn(ctx context.Context, lane sql.Lane) error {
	switch lane {
	case sql.LaneRecap:
		return o.recapper.Run(ctx)
	case sql.LaneExpiry:
		return o.expirer.Run(ctx)
	}
	return o.worker.Mailer.Run(ctx, lane)
}

// nextDue is when something is due next, after the present: a mail, a recap, a deadline, an
// invitation again. The breaker holds mail until its next probe.
const nextDue = `
	SELECT least(
		(SELECT min(greatest(o.due_at, o.claimed_until, CASE WHEN o.lane <> 'recap' AND b.opened_at IS NOT NULL THEN b.probe_at END))
			FROM obligation o, breaker b WHERE o.due_at < 'infinity'),
		(SELECT min(at) FROM deadline), (SELECT min(at) FROM reinvitation),
		(SELECT min(not_before) FROM held WHERE not_before > bascule_now()))`

func (o *office) nextDue() (at time.Time, any bool) {
	var next stdsql.NullTime
	if err := o.db.Raw.QueryRow(nextDue).Scan(&next); err != nil {
		o.t.Fatal(err)
	}
	return next.Time, next.Valid
}

// comesBack drops a mail into the folder of returned mails.
func (o *office) comesBack(n int, text string) {
	if err := os.WriteFile(filepath.Join(o.bounces, strconv.Itoa(n)+".eml"), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// liveDay is one instant at which a whole worker works, with a queue: Redis is lost while
// mails are under way, and the worker starts again beside an empty one.
func (o *office) liveDay() {
	first, second := devtest.Redis(o.t), devtest.Redis(o.t)
	stand := make(chan struct{})
	o.relay.feel(mood{stand: stand})
	before := o.relay.count()
	stop := o.employ(first.URL())
	o.until("mails are under way", func() bool { return o.relay.count() > before })
	if err := first.Stop(); err != nil {
		o.t.Error(err)
	}
	o.relay.feel(mood{})
	close(stand)
	stop()
	stop = o.employ(second.URL())
	defer stop()
	o.until("nothing is due", func() bool {
		return o.db.Text(o.t, `SELECT count(*) FROM obligation WHERE due_at <= bascule_now() AND claimed_until IS NULL`) == "0"
	})
}

// employ starts the whole worker; stop ends it and waits.
func (o *office) employ(redis string) (stop func()) {
	q, err := queue.Open(redis)
	if err != nil {
		o.t.Fatal(err)
	}
	w := *o.worker
	w.Queue = q
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
		q.Close()
	}
}

// patience bounds every wait for something that is certain to come.
const patience = time.Minute

func (o *office) until(what string, holds func() bool) {
	o.t.Helper()
	end, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-end:
			o.t.Fatalf("waited in vain until %s:\n%s", what, o.log)
		case <-tick.C:
		}
	}
}
