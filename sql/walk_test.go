package sql_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// walks is how many subscribers go astray: a few for the gate. A change of the life of
// a request deserves more: go test ./sql -run Walks -walks 500.
var walks = flag.Int("walks", 30, "subscribers of TestRandomWalks")

// walkLength is how much happens to each.
const walkLength = 18

// I1, I3, I5, I9: subscribers, workers, relays and administrators may do anything to
// one space, in any order. The next step is always due, and the code that counts always
// works. Each walk follows from its number.
func TestRandomWalks(t *testing.T) {
	t.Parallel()
	d := open(t)
	var ahead time.Duration
	for n := range *walks {
		w := &walk{desk: d, ahead: ahead, Rand: rand.New(rand.NewPCG(1, uint64(n))), number: fmt.Sprintf("%07d", n+1)}
		for i, name := range []string{"contact", "one", "two"} {
			w.addresses[i] = fmt.Sprintf("%s%d@duvallon.example", name, n)
		}
		if w.run(); t.Failed() {
			t.Fatalf("walk %d:\n%s", n, strings.Join(w.story, "\n"))
		}
		ahead = w.ahead
	}
}

// A walk is what happens to one space.
type walk struct {
	*desk
	*rand.Rand
	number    string
	addresses [3]string     // the contact's first
	proofs    []proof       // of all codes that were started
	ahead     time.Duration // of the database's clock, that never goes back
	story     []string
}

func (w *walk) run() {
	w.invite(w.number, w.addresses[0])
	for range walkLength {
		w.step()
		w.soundFor(w.latest(w.number))
		if w.tallies(int64(w.count(`SELECT id FROM space WHERE number = $1`, w.number))); w.t.Failed() {
			return
		}
	}
	w.sound()
}

func (w *walk) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// step lets something happen. That it is refused is part of the walk.
func (w *walk) step() {
	number := conversion.SubscriberNumber(w.number)
	switch what := w.IntN(24); {
	case what < 8:
		w.work()
	case what < 11 && len(w.proofs) > 0:
		address := w.address()
		_, err := w.choose(w.proof(), address)
		w.tell("chooses %s: %v", address, err)
	case what < 13:
		w.enter()
	case what == 13:
		bounces := conversion.Bounces()
		var generation int
		w.must(w.Raw.QueryRow(`SELECT generation FROM request WHERE id = $1`, w.latest(w.number)).Scan(&generation))
		counts, err := w.Bounced(w.ctx, w.latest(w.number), generation, bounces[w.IntN(len(bounces))])
		w.tell("bounces: %v, %v", counts, err)
	case what == 14:
		w.tell("resend: %v", w.Resend(w.ctx, number, "", "admin"))
	case what == 15:
		w.ahead += 20 * time.Hour
		w.Shift(w.t, w.ahead)
		w.tell("20 hours pass")
	case what == 16:
		_, err := w.Sweep(w.ctx, 1000)
		w.tell("sweep: %v", err)
	case what == 17:
		w.tell("fold: %v", w.Fold(w.ctx))
	case what == 18:
		address := fmt.Sprintf("other%d.%s@duvallon.example", len(w.story), w.number)
		w.tell("import with %s: %s", address, w.kinds(row(w.number, address)))
	case what < 21:
		n, err := w.RetryAll(w.ctx, 0, true, w.keys)
		w.tell("retry: %d, %v", n, err)
	case what == 21 && w.IntN(3) == 0:
		w.tell("cancel: %v", w.CancelNumber(w.ctx, number))
	case what == 22 && len(w.proofs) > 0 && w.IntN(3) == 0:
		w.tell("activates: %v", w.activate(w.proof()))
	case what == 23 && len(w.proofs) > 0:
		p := w.proof()
		_, err := w.FindCode(w.ctx, w.keys, p.email, p.code)
		w.tell("types the code of %s: %v", p.email, err)
	}
}

func (w *walk) address() string { return w.addresses[w.IntN(len(w.addresses))] }

func (w *walk) proof() proof { return w.proofs[w.IntN(len(w.proofs))] }

// enter is an option in the space, entered with the certificate.
func (w *walk) enter() {
	address := w.address()
	choice, err := w.opt(w.number, address)
	w.tell("opts for %s: standing %v, %v", address, choice.Standing, err)
}

// work lets a worker do what is due, with a relay that may say anything.
func (w *walk) work() {
	h := w.startOf(w.latest(w.number))
	for _, m := range h.mails {
		if m.Kind == sql.MailCode {
			w.proofs = append(w.proofs, w.code(m))
		}
	}
	switch w.IntN(5) { // meanwhile
	case 0:
		w.enter()
	case 1:
		if len(w.proofs) > 0 {
			p := w.proof()
			_, err := w.FindCode(w.ctx, w.keys, p.email, p.code)
			w.tell("meanwhile types the code of %s: %v", p.email, err)
		}
	}
	for _, m := range h.mails {
		w.end(m)
	}
}

// end is how the hand-over of one mail ends.
func (w *walk) end(m *sql.Mail) {
	failure := []sql.Failure{{Mail: m, Refusal: "no", Reply: "550 5.1.1"}}
	ends := [...]struct {
		name string
		run  func() error
	}{
		{"accepted", func() error { return w.FinishAccepted(w.ctx, []*sql.Mail{m}) }},
		{"accepted", func() error { return w.FinishAccepted(w.ctx, []*sql.Mail{m}) }},
		{"in doubt", func() error { return w.FinishInDoubt(w.ctx, []*sql.Mail{m}, 0) }},
		{"refused", func() error { return w.FinishRefused(w.ctx, failure) }},
		{"failed", func() error { return w.FinishFailed(w.ctx, failure) }},
		{"its worker dies", func() error {
			_, err := w.Raw.Exec(`UPDATE obligation SET claimed_until = bascule_now() WHERE id = $1`, m.ID)
			return err
		}},
	}
	end := ends[w.IntN(len(ends))]
	w.tell("%s of generation %d, copy %d: %s", m.Kind, m.Generation, m.Copy, end.name)
	w.must(end.run())
}
