package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// failing is what PostgreSQL answers with a SQLSTATE.
func failing(t *testing.T, state string) error {
	t.Helper()
	_, err := sqltest.Open(t).Raw.Exec(`DO $$ BEGIN RAISE 'in a test' USING ERRCODE = '` + state + `'; END $$`)
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

// recordOf is a recorder with one write of n rows of a window, and the mailer that it
// is of. The log is what it complains.
func recordOf(t *testing.T, n int, run func(context.Context, []result) error) (*recorder, *Mailer, *window, *bytes.Buffer) {
	log := new(bytes.Buffer)
	m := &Mailer{Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil))}
	w := &window{Mailer: m, out: t.Context()}
	rows := of(make([]smtp.Outcome, n)...)
	for i := range rows {
		rows[i].w = w
	}
	w.unsettled.Add(n)
	return &recorder{waiting: []write{{rows: rows, run: run}}}, m, w, log
}

// A failure is logged while it is tried again. The last reason is the statement's own:
// that a worker stopped explains nothing to an operator.
func TestRecorderTellsTheReason(t *testing.T) {
	full := failing(t, "53100")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tries := 0
	r, m, w, log := recordOf(t, 1, func(ctx context.Context, _ []result) error {
		if tries++; tries < 3 {
			return full
		}
		cancel()
		return fmt.Errorf("finish: %w", ctx.Err())
	})
	w.out = ctx
	for range 2 {
		if lost, err := r.try(m); lost != 0 || err != nil || len(r.waiting) != 1 {
			t.Errorf("%d lost, %d wait: %v", lost, len(r.waiting), err)
		}
	}
	if lost, err := r.try(m); lost != 1 || !errors.Is(err, full) || len(r.waiting) != 0 {
		t.Errorf("%d lost, %d wait: %v", lost, len(r.waiting), err)
	}
	if got := log.String(); strings.Count(got, "in a test") != 1 {
		t.Errorf("the log: %s", got)
	}
}

// A permanent error is given up at once. The other rows are recorded all the same, and
// rows that somebody holds wait.
func TestRecorderTriesRowsApart(t *testing.T) {
	never := failing(t, "23514")
	var recorded []int64
	var tries []int
	r, m, w, log := recordOf(t, 4, func(_ context.Context, rows []result) error {
		tries = append(tries, len(rows))
		switch id := rows[0].mail.ID; {
		case len(rows) > 1 || id == 2:
			return never
		case id == 3:
			return &sql.LockedError{IDs: []int64{3}}
		default:
			recorded = append(recorded, id)
			return nil
		}
	})
	lost, err := r.try(m)
	if fmt.Sprint(recorded) != "[1 4]" || len(r.waiting) != 1 || len(r.waiting[0].rows) != 1 || lost != 1 || !errors.Is(err, never) {
		t.Errorf("recorded %v, %d wait, %d lost: %v", recorded, len(r.waiting), lost, err)
	}
	if fmt.Sprint(tries) != "[4 1 1 1 1]" || w.recorded != 2 || w.lost != 1 || log.Len() > 0 {
		t.Errorf("tried sets of %v; of the window %d are recorded, %d lost: %s", tries, w.recorded, w.lost, log)
	}
}

// I5: of a window that somebody held until its claim was over, nothing is recorded.
func TestHeldIsNotRecorded(t *testing.T) {
	held := &sql.LockedError{IDs: []int64{1}}
	for _, until := range []error{held, nil} {
		ctx, cancel := context.WithCancel(t.Context())
		answers := []error{held, held, until}
		r, m, w, _ := recordOf(t, 1, func(context.Context, []result) (err error) {
			err, answers = answers[0], answers[1:]
			return err
		})
		w.out = ctx
		for range 2 {
			if _, err := r.try(m); err != nil || len(r.waiting) != 1 {
				t.Errorf("%d wait: %v", len(r.waiting), err)
			}
		}
		if until != nil {
			cancel()
		}
		lost, err := r.try(m)
		if len(r.waiting) != 0 || (lost == 1) != (until != nil) || (err != nil) != (until != nil) || w.recorded+w.lost != 1 {
			t.Errorf("%d wait, %d lost, %d recorded: %v", len(r.waiting), lost, w.recorded, err)
		}
		cancel()
	}
}

// D11: the meaning of each outcome for its row and for the breaker. Refusals without a
// clear reason are in a row until a mail is accepted. A broken-off mail is one of them,
// unless we broke it off. A refusal of us at a mail that is to blame itself is one,
// too.
func TestJudge(t *testing.T) {
	accepted, person, later := smtp.Outcome{Kind: smtp.Accepted, Stage: smtp.StageDot}, smtp.Outcome{Kind: smtp.Person, Stage: smtp.StageRcpt}, smtp.Outcome{Kind: smtp.Later, Stage: smtp.StageRcpt}
	unclear, doubt := smtp.Outcome{Kind: smtp.Unclear, Stage: smtp.StageRcpt, Code: 550}, smtp.Outcome{Kind: smtp.InDoubt, Stage: smtp.StageDot}
	us, busy := smtp.Outcome{Kind: smtp.Us, Stage: smtp.StageRcpt, Code: 421}, smtp.Outcome{Kind: smtp.Us, Stage: smtp.StageMail, Code: 451}
	broken, unsent := smtp.Outcome{Kind: smtp.NotSent, Stage: smtp.StageRcpt}, smtp.Outcome{Kind: smtp.NotSent}
	stopping := func(r *result) { r.stopping = true }
	own := func(r *result) { r.mail.OwnFault = true }
	tried := func(n int) func(*result) { return func(r *result) { r.mail.Attempts = n } }
	for _, c := range []struct {
		name  string
		probe bool
		of    []result
		want  string
	}{
		{"a row", false, of(unclear, doubt, accepted, unclear, later), "accepted 3, in doubt 2, failed 1+1m 4+1m 5+1m, to blame 1 2, unclear 4"},
		{"accepted", false, of(accepted), "accepted 1"},
		{"a probe is accepted", true, of(accepted), "accepted 1, spoke"},
		{"a person", false, of(person), "refused 1"},
		{"a probe names a person", true, of(person), "refused 1, spoke"},
		{"for now", false, of(later), "failed 1+1m"},
		{"a probe, for now", true, of(later), "failed 1+1m, spoke"},
		{"a probe, unclear", true, of(unclear), "failed 1+1m, unclear 1"},
		{"unclear", false, of(unclear), "failed 1+1m, unclear 1"},
		{"for long", false, change(of(later, unclear), tried(123)), "failed 1+60m 2+60m, unclear 2"},
		{"too long", false, change(of(later, unclear), tried(124)), "refused 1 2, unclear 2"},
		{"us", false, of(us, unsent), "failed 1 2, us 1"},
		{"us at its own fault", false, change(of(us), own), "failed 1+1m, unclear 1"},
		{"us at its own fault, no message", false, change(of(busy), own), "failed 1, us 1"},
		{"us at its own fault, a probe", true, change(of(us), own), "failed 1, us 1"},
		{"in doubt", false, of(doubt), "in doubt 1, unclear 1"},
		{"in doubt, stopping", false, change(of(doubt), stopping), "in doubt 1"},
		{"broken off", false, of(broken), "failed 1+1m, unclear 1"},
		{"broken off, stopping", false, change(of(broken), stopping), "failed 1"},
		{"not tried", false, of(unsent), "failed 1"},
		{"not written", false, change(of(unsent), func(r *result) { r.unwritten, r.mail.Attempts = true, 200 }), "failed 1+60m"},
	} {
		w := &window{probe: c.probe}
		if got := told(judge(change(c.of, func(r *result) { r.w = w }))); got != c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
	}
}

// of are results of the mails 1, 2, …
func of(outcomes ...smtp.Outcome) (list []result) {
	for i, o := range outcomes {
		m := &sql.Mail{}
		m.ID = int64(i + 1)
		list = append(list, result{mail: m, outcome: o})
	}
	return list
}

func change(list []result, f func(*result)) []result {
	for i := range list {
		f(&list[i])
	}
	return list
}

// told is a verdict in words: of failures, the ids and the wait of those that count.
func told(v verdict) string {
	var words []string
	say := func(what string, n int, id func(int) string) {
		if n == 0 {
			return
		}
		for i := range n {
			what += " " + id(i)
		}
		words = append(words, what)
	}
	failure := func(res result) string {
		f := res.failure
		if !f.Counts {
			return fmt.Sprint(f.ID)
		}
		return fmt.Sprintf("%d+%.0fm", f.ID, f.Delay.Minutes())
	}
	say("accepted", len(v.accepted), func(i int) string { return fmt.Sprint(v.accepted[i].mail.ID) })
	say("in doubt", len(v.inDoubt), func(i int) string { return fmt.Sprint(v.inDoubt[i].mail.ID) })
	say("refused", len(v.refused), func(i int) string { return failure(v.refused[i]) })
	say("failed", len(v.failed), func(i int) string { return failure(v.failed[i]) })
	say("to blame", len(v.blamed), func(i int) string { return fmt.Sprint(v.blamed[i]) })
	say("unclear", len(v.unclear), func(i int) string { return fmt.Sprint(v.unclear[i]) })
	say("us", len(v.us), func(i int) string { return fmt.Sprint(v.us[i]) })
	if v.spoke {
		words = append(words, "spoke")
	}
	return strings.Join(words, ", ")
}

// D4, I5: a statement that starts mails or writes outcomes down goes on when its worker
// is told to stop, but not for long. Outcomes may be written down while the lease is
// renewed, and no longer than it lasts.
func TestLastWords(t *testing.T) {
	const moment = time.Second
	// The clock of a synctest bubble stands still while anything runs: to sleep moves it,
	// takes no time, and ends at the very instant.
	lives := func(what string, ctx context.Context, d time.Duration) {
		t.Helper()
		time.Sleep(d - moment)
		if ctx.Err() != nil {
			t.Errorf("%s: over after less than %s", what, d)
		}
		time.Sleep(2 * moment)
		if ctx.Err() == nil {
			t.Errorf("%s: not over after %s", what, d)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		working, stop := context.WithCancel(t.Context())
		out, cancel := recording(working)
		lives("outcomes", out, sql.Lease)
		cancel()
		out, cancel = recording(working)
		stop()
		lives("outcomes of a worker that stops", out, lastWords)
		cancel()
		out, cancel = outlive(working)
		lives("a start of a worker that stops", out, statementTimeout)
		cancel()
	})
	gone, err := sql.Open(t.Context(), sqltest.Open(t).URL, 1)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close() // it renews nothing
	synctest.Test(t, func(t *testing.T) {
		working, stop := context.WithCancel(t.Context())
		h := hold(working, gone, nil, slog.New(slog.DiscardHandler))
		out, cancel := h.recording(working)
		lives("outcomes under a lease that is not renewed", out, sql.Lease-renewEvery)
		cancel()
		h.release()

		h = &holding{}
		h.lost, h.lose = context.WithCancel(context.Background())
		out, cancel = h.recording(working)
		time.Sleep(10 * sql.Lease) // in the bubble: no timer ends it
		stop()
		lives("outcomes under a lease that is renewed", out, lastWords)
		cancel()
	})
}

// I6: the client knows which word of a mail no outcome may repeat.
func TestWriteNamesTheSecret(t *testing.T) {
	us := devtest.Email(t, "us@espace.example")
	composer, err := mail.NewComposer(mail.Office{From: mail.Sender{Address: us}, PublicURL: "https://espace.example", Help: "Assistance : 01 00 00 00 00"})
	if err != nil {
		t.Fatal(err)
	}
	code, err := conversion.ParseCode("7K3M-Q9XT-2HBD")
	if err != nil {
		t.Fatal(err)
	}
	w := &window{Mailer: &Mailer{Composer: composer, Domain: "espace.example", ReturnPath: us}}
	m := &sql.Mail{To: us, Code: code}
	m.Kind = sql.MailCode
	out, err := w.write(m)
	if err != nil || out.Secret != code.String() || !bytes.Contains(out.Body, []byte(out.Secret)) {
		t.Errorf("the secret is %q: %v", out.Secret, err)
	}
}

// C2: if the rate held mails back, the next windows take no more than these were given,
// and never nothing.
func TestDeal(t *testing.T) {
	for _, c := range []struct {
		found, started   int
		held             bool
		mails, due, size []int
	}{
		{20, 20, false, []int{8, 8, 4}, []int{8, 8, 4}, []int{8, 8, 8}},
		{24, 9, true, []int{8, 1, 0}, []int{8, 8, 8}, []int{8, 1, 1}},
		{24, 0, false, []int{0, 0, 0}, []int{8, 8, 8}, []int{8, 8, 8}}, // all void
		{0, 0, false, []int{0, 0, 0}, []int{0, 0, 0}, []int{8, 8, 8}},
	} {
		g := windows(3)
		g.deal(sql.Start{Found: c.found, Mails: make([]*sql.Mail, c.started)}, c.held)
		for i, w := range g {
			if len(w.mails) != c.mails[i] || w.found != c.due[i] || w.pace.size != c.size[i] {
				t.Errorf("%d of %d mails: window %d has %d of %d, the next takes %d", c.started, c.found, i, len(w.mails), w.found, w.pace.size)
			}
		}
	}
}

// windows are windows of eight mails.
func windows(n int) (g group) {
	for range n {
		g = append(g, &window{Mailer: &Mailer{Now: time.Now}, lane: sql.LaneBulk, pace: &pace{size: 8, max: maxWindow}})
	}
	return g
}

// A slot starts the windows of those that wait with its own, and each once. A probe has no
// company, and takes none away.
func TestStartersCompany(t *testing.T) {
	g := windows(4)
	g[1].probe, g[3].pace.size = true, maxStart-7
	s := starter{waiting: slices.Clone(g)}
	for _, c := range []struct {
		first   *window
		company bool
		want    group
	}{{g[0], false, g[:1]}, {g[2], true, group{g[2]}}, {g[3], true, g[3:]}, {g[1], false, g[1:2]}} {
		if got := s.take(c.first, c.company); !slices.Equal(got, c.want) {
			t.Errorf("%d windows start together, want %d", len(got), len(c.want))
		}
	}
	s.waiting = windows(3)
	if got := s.take(s.waiting[1], true); len(got) != 3 || len(s.waiting) != 0 {
		t.Errorf("%d of 3 windows start together, %d wait", len(got), len(s.waiting))
	}
}

// D12: windows end when a campaign stops, and not when another one begins.
func TestStoppedCampaigns(t *testing.T) {
	ends := 0
	d := &Dispatcher{Stopped: func() { ends++ }}
	for _, c := range []struct {
		running string
		ends    int
	}{{"", 0}, {"3", 0}, {"3 13", 0}, {"3 13", 0}, {"13", 1}, {"1 13", 1}, {"3 13", 2}, {"", 3}, {"3", 3}} {
		if d.compare([]sql.Due{{Running: c.running}}); ends != c.ends {
			t.Errorf("%q run: windows were to end %d times, want %d", c.running, ends, c.ends)
		}
	}
}

// D4: a fast window grows up to its bound, and a slow one shrinks. So a deadline begins
// shortly before its mail.
func TestPace(t *testing.T) {
	p := newPace(sql.LaneInteractive)
	for _, c := range []struct{ ms, want int }{{249, 8}, {0, 16}, {250, 16}, {1000, 16}, {1001, 8}, {0, 16}, {0, 32}, {0, 64}, {0, 64}, {5000, 32}} {
		if p.adapt(ms(c.ms)); p.size != c.want {
			t.Errorf("after %d ms: %d, want %d", c.ms, p.size, c.want)
		}
	}
	p.size = 1
	if p.adapt(ms(5000)); p.size != 1 {
		t.Errorf("a window of %d mails", p.size)
	}
}

// ms is a duration in milliseconds.
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// I5: a window whose claim is over takes the outcomes of no other one with it.
func TestRecorderOfSeveralClaims(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, m, w, _ := recordOf(t, 3, func(ctx context.Context, _ []result) error { return ctx.Err() })
	over := &window{out: ctx}
	over.unsettled.Add(2)
	for _, i := range []int{0, 2} {
		r.waiting[0].rows[i].w = over
	}
	cancel()
	if lost, err := r.try(m); lost != 0 || err != nil || w.recorded != 1 {
		t.Errorf("%d lost, %d recorded: %v", lost, w.recorded, err)
	}
}
