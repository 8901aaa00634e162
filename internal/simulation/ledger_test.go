package simulation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// balance checks what must hold in the end.
func (s *simulation) balance() {
	if s.t.Failed() {
		return
	}
	s.judge()
	s.db.Sound(s.t)
	s.balanceWork()
	s.balanceSpaces()
	s.balanceMails()
	s.balanceLog()
	s.balanceEvents()
}

// balanceWork: no due work stays undone, and each accepted row has its requests (I1).
func (s *simulation) balanceWork() {
	for what, query := range map[string]string{
		"mails or recaps are due": `SELECT count(*) FROM obligation`,
		"invitations are held":    `SELECT count(*) FROM held`,
		"deadlines have not come": `SELECT count(*) FROM deadline`,
		"requests are open":       `SELECT count(*) FROM request r WHERE request_is_open(r)`,
	} {
		if n := s.db.Text(s.t, query); n != "0" {
			s.t.Errorf("in the end %s %s (I1)", n, what)
		}
	}
	s.equal("spaces, and rows that were accepted first", len(s.subscribers), s.count(`SELECT count(*) FROM space`))
	s.equal("requests of imports, and accepted rows", s.accepted, s.count(`SELECT count(*) FROM request WHERE origin = 'import'`)+
		s.count(`SELECT count(*) FROM audit WHERE event = 'address changed'`))
}

// balanceSpaces: each space is entered as its subscriber believes (I2 to I4).
func (s *simulation) balanceSpaces() {
	rows, err := s.db.Raw.Query(`SELECT number, access, coalesce(email, ''), coalesce(switched_at, 'epoch') FROM space`)
	s.must(err)
	defer rows.Close()
	switched := 0
	for rows.Next() {
		var number, access, email string
		var at any
		s.must(rows.Scan(&number, &access, &email, &at))
		b := s.byNumber[number]
		if (access == "password") == b.done.IsZero() || email != b.enters {
			s.fail(b, "the space is entered by %s %q; its subscriber enters with %q", access, email, b.enters)
		}
		if access == "password" {
			switched++
		}
		if !b.done.IsZero() && b.confirmed == 0 {
			s.fail(b, "never got the recap")
		}
	}
	s.must(rows.Err())
	p, err := s.db.Status(s.t.Context(), 0)
	s.must(err)
	s.equal("password spaces, and activated requests", switched, p.Activated)
	s.equal("password spaces, and audited activations", switched, s.count(`SELECT count(*) FROM audit WHERE event = 'activated'`))
}

// balanceMails: copies are explained by interruptions, mails by starts (I5).
func (s *simulation) balanceMails() {
	rows, err := s.db.Raw.Query(`
		SELECT request_id, generation, CASE WHEN in_doubt OR void_at IS NOT NULL THEN 3 ELSE 1 + doubts END
		FROM code WHERE started_at IS NOT NULL AND purpose IN ('identify', 'activate')`)
	s.must(err)
	defer rows.Close()
	most := make(map[string]int)
	for rows.Next() {
		var request int64
		var generation, n int
		s.must(rows.Scan(&request, &generation, &n))
		most[fmt.Sprintf("%d.%d", request, generation)] = n
	}
	s.must(rows.Err())
	for id, c := range s.copies {
		m := messageID.FindStringSubmatch(id)
		if of := m[2] + "." + m[3]; m[1] == "code" && m[4] == "0" && c.n > most[of] {
			s.t.Errorf("%d copies of the mail of request %s, %d are explained (I5)", c.n, of, most[of])
		}
	}
	s.balanceMailed()
}

// balanceMailed: a code counts as mailed only if the relay has its mail.
func (s *simulation) balanceMailed() {
	got := make(map[string]bool)
	for _, b := range s.subscribers {
		for _, l := range b.letters {
			got[strconv.FormatInt(l.request, 10)+"."+strconv.Itoa(l.generation)] = true
		}
	}
	rows, err := s.db.Raw.Query(`SELECT request_id || '.' || generation, mailed_at IS NOT NULL, void_at IS NOT NULL FROM code WHERE purpose IN ('identify', 'activate')`)
	s.must(err)
	defer rows.Close()
	for rows.Next() {
		var of string
		var mailed, void bool
		s.must(rows.Scan(&of, &mailed, &void))
		switch {
		case mailed && !got[of]:
			s.t.Errorf("the code %s counts as mailed; no relay has its mail (I5)", of)
		case got[of] && !mailed && !void: // one that died in doubt is never known to be mailed
			s.t.Errorf("somebody has the code %s; it does not count as mailed", of)
		}
	}
	s.must(rows.Err())
}

var personal = regexp.MustCompile(`[\w.]@[a-z]|[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b|Kolibri|Tanneurs`)

// balanceLog: the log holds nothing personal (I6).
func (s *simulation) balanceLog() {
	if found := personal.FindString(s.log.String()); found != "" {
		s.t.Errorf("the log holds %q (I6)", found)
	}
}

// must are the events of each run; without them it proves little.
var mustHappen = []string{
	"the pilot is over", "the order is looked at", "an address has all mails of a day", "stopped by itself", "a worker dies", "Redis is lost", "corrected", "resent", "invited again", "complains", "bounces as gone",
	"a dead code is refused", "a code of a cancelled campaign", "the whole form on the page", "mail: reminder", "mail: notice", "mail: confirmation", "mail: expired",
	"mail: a copy after doubt", "the relay says 550 5.1.1 no such user", "the relay says 452 4.2.2 mailbox full",
	string(guesses), string(mistypes), string(chooses), string(choosesLate), string(optsIn), string(lastMinute), string(looks),
}

// balanceEvents counts the events, and requires enough of them.
func (s *simulation) balanceEvents() {
	for _, what := range slices.Sorted(maps.Keys(s.seen)) {
		s.t.Logf("%7d  %s", s.seen[what], what)
	}
	for _, what := range mustHappen {
		if s.seen[what] == 0 {
			s.t.Errorf("it never happened: %s", what)
		}
	}
	s.t.Logf("%d days were compared with a plan, of %d mails", s.foreseen, s.planned)
	if s.foreseen < 10 {
		s.t.Errorf("%d days were compared with a plan", s.foreseen)
	}
}

func (s *simulation) count(query string) (n int) {
	s.t.Helper()
	s.must(s.db.Raw.QueryRow(query).Scan(&n))
	return n
}

func (s *simulation) equal(what string, want, got int) {
	s.t.Helper()
	if want != got {
		s.t.Errorf("%s: %d, %d", what, want, got)
	}
}
