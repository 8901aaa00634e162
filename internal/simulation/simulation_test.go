package simulation

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

var (
	long = flag.Bool("long", false, "simulate six months of 20 000 subscribers: make simulate")
	seed = flag.Uint64("seed", 0, "what all chance follows from; 0: 1, or the present time if -long")
)

// A size is how much is simulated.
type size struct {
	days              int // the run
	first, later      int // rows of the campaign's two files
	burst             int // rows of a campaign without brakes
	wrong             int // rows of a file that nobody should have imported
	perDay, pilot     int
	expiries, expired int           // the certificates end from one day to another
	pause             time.Duration // between two looks of the workers
	paged             int           // one in so many fills the whole form in on the page
}

var (
	short = size{days: 35, first: 150, later: 50, burst: 210, wrong: 16, perDay: 18, pilot: 9, expiries: 33, expired: 52, pause: 30 * time.Minute, paged: 80}
	whole = size{days: 183, first: 15_000, later: 4_300, burst: 500, wrong: 200, perDay: 700, pilot: 200, expiries: 60, expired: 178, pause: 15 * time.Minute, paged: 100}
)

// D3, D10, D12, D13, D14, D15, D16, D17, R6, R21, R23, I1, I2, I3, I4, I5, I6, I9: all of a
// campaign, from the import to the last certificate, whatever happens. Half a year has two nights in which the clocks change, and a dozen holidays.
func TestSimulation(t *testing.T) {
	t.Parallel()
	how, n := short, *seed
	if n == 0 {
		n = 1
	}
	if *long {
		how = whole
		if *seed == 0 {
			n = uint64(time.Now().UnixNano() % 1_000_000)
		}
	}
	fmt.Fprintf(os.Stderr, "simulation: seed %d\n", n)
	s := newSimulation(t, how, n)
	defer func() {
		if t.Failed() {
			t.Logf("to see the same again: %s\n%s", replay(n), strings.Join(s.story, "\n"))
		}
	}()
	s.script()
	s.run()
	s.balance()
}

// replay is the command that simulates the same again.
func replay(seed uint64) string {
	if *long {
		return fmt.Sprintf("make simulate SEED=%d", seed)
	}
	return fmt.Sprintf("go test ./internal/simulation -seed %d", seed)
}

// monday is the first day. The months after it have everything that a campaign meets.
var monday = time.Date(2031, 10, 13, 0, 0, 0, 0, conversion.Paris)

// day is an instant of the run, as the clocks in Paris show it.
func day(n, hour, minute int) time.Time {
	return time.Date(2031, 10, 13+n, hour, minute, 0, 0, conversion.Paris)
}

// dateOf is the day of an instant in Paris, as midnight in UTC.
func dateOf(at time.Time) time.Time {
	y, m, d := at.In(conversion.Paris).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// midnightAfter is the instant at which the next day begins in Paris.
func midnightAfter(at time.Time) time.Time {
	y, m, d := at.In(conversion.Paris).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, conversion.Paris)
}

// A simulation is one run.
type simulation struct {
	size
	*office
	agenda
	now         time.Time
	at          time.Time // when the workers look next
	worked      time.Time // and looked last
	looked      time.Time // and cleaned up
	subscribers []*subscriber
	byNumber    map[string]*subscriber
	boxes       map[string]*mailbox    // by address
	identifiers map[string]*subscriber // addresses that open a password space
	complaints  []*subscriber          // on their way back
	campaigns   map[string]*campaign
	forecast    forecast
	copies      map[string]copies    // by Message-ID
	counted     map[string]bool      // invitations that left, by request and generation
	deferred    map[string]bool      // those that wait for a full mailbox
	orphans     map[string]time.Time // when a worker started mails, and died
	perAddress  map[string]int       // mails of campaigns, by address and day
	excluded    *subscriber          // by hand
	returned    int                  // mails that came back
	read        int                  // and were read
	accepted    int                  // rows of all imports
	outdated    bool                 // the forecast is
	troubled    bool                 // the relay is not as a plan takes for granted
	foreseen    int                  // days that were compared with a plan
	planned     int                  // and mails
	seen        map[string]int       // the number of each event
	story       []string             // of the administrators
}

func newSimulation(t *testing.T, how size, seed uint64) *simulation {
	s := &simulation{
		size: how, now: monday, at: day(how.days, 0, 0),
		byNumber: make(map[string]*subscriber), boxes: make(map[string]*mailbox), identifiers: make(map[string]*subscriber),
		campaigns: make(map[string]*campaign), copies: make(map[string]copies), seen: make(map[string]int),
		perAddress: make(map[string]int), counted: make(map[string]bool), deferred: make(map[string]bool), orphans: make(map[string]time.Time),
	}
	s.office = newOffice(t, s)
	s.populate(seed)
	return s
}

// run lets time pass, from one event to the next.
func (s *simulation) run() {
	end := day(s.days, 0, 0)
	for !s.t.Failed() {
		due := s.at
		if s.events.Len() > 0 && s.events[0].at.Before(due) {
			due = s.events[0].at
		}
		if !due.Before(end) {
			return
		}
		if due.After(s.now) {
			due = due.In(conversion.Paris)
			if *long && due.Month() != s.now.Month() {
				fmt.Fprintln(os.Stderr, "simulation: it is", due.Format(time.DateOnly))
			}
			s.now = due
			s.db.Freeze(s.t, due)
		}
		if s.events.Len() > 0 && !s.events[0].at.After(s.now) {
			s.next().run()
			continue
		}
		s.work()
		s.at = s.nextWork()
	}
}

// soon makes the workers look at the latest change.
func (s *simulation) soon() { s.at = assistance.Earlier(s.at, s.now.Add(time.Second)) }

// afterPause makes them look when they have paused.
func (s *simulation) afterPause() {
	s.at = assistance.Earlier(s.at, assistance.Later(s.now.Add(time.Second), s.worked.Add(s.pause)))
}

// in makes something happen later.
func (s *simulation) in(d time.Duration, run func()) { s.add(s.now.Add(d), run) }

// did counts an event: a run without an event proves nothing of it.
func (s *simulation) did(what string) { s.seen[what]++ }

// tell adds to the administrators' story.
func (s *simulation) tell(format string, args ...any) {
	s.story = append(s.story, s.now.In(conversion.Paris).Format("Mon 02 Jan 15:04 ")+fmt.Sprintf(format, args...))
}

func (s *simulation) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
