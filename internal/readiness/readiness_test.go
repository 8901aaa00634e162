package readiness

import (
	"testing"
	"time"

	"bascule/sql"
)

// Each line is as bad as its finding, and names the remedy unless it is green.
func TestLines(t *testing.T) {
	worker := func(texts, version string, silent time.Duration) sql.Worker {
		return sql.Worker{Version: version, Texts: texts, Silent: silent}
	}
	workers := func(all ...sql.Worker) Line { return Workers(all, "v2", "new") }
	clock := func(here, pages time.Duration) Line {
		return Clock(map[string]time.Duration{"here": here, "the pages": pages})
	}
	for _, c := range []struct {
		name string
		line Line
		want State
		what string
	}{
		{"no worker", workers(), Red, "none is alive"},
		{"a dead worker", workers(worker("new", "v2", 61*time.Second)), Red, "none is alive, the last one was heard of 1m1s ago"},
		{"a worker", workers(worker("new", "v2", time.Minute), worker("old", "v1", time.Hour)), Green, "1 alive"},
		{"an older worker", workers(worker("new", "v2", 0), worker("new", "v1", 0)), Yellow, "2 alive, of which 1 run another program than this command"},
		{"a worker of other texts", workers(worker("new", "v2", 0), worker("old", "v2", 0)), Red, "2 alive, of which 1 would mail other texts than those of this command"},
		{"a worker without Redis", workers(worker("new", "v2", 0), sql.Worker{Trouble: "its memory is full"}), Red, "2 alive, and Redis is of no use to one of them"},
		{"no trial", Trial("", "new", "do it"), Red, "nobody was sent a trial of the mails"},
		{"an old trial", Trial("old", "new", "do it"), Red, "the texts have changed since the last one was sent"},
		{"a trial", Trial("new", "new", "do it"), Green, "one was sent since the texts last changed"},
		{"clocks that agree", clock(-5*time.Second, 0), Green, "here and the database's differ by 5s"},
		{"clocks that do not", clock(0, -6*time.Second), Yellow, "the pages and the database's differ by 6s"},
		{"a wrong clock", clock(121*time.Second, 6*time.Second), Red, "here and the database's differ by 2m1s"},
		{"a full disk", Room("/tmp", roomBad-1), Red, "99 MiB are free in /tmp; the disk of PostgreSQL is not seen from here"},
		{"little room", Room("/tmp", roomBad), Yellow, "100 MiB are free in /tmp; the disk of PostgreSQL is not seen from here"},
		{"room", Room("/tmp", roomDoubtful), Green, "1024 MiB are free in /tmp; the disk of PostgreSQL is not seen from here"},
		{"nothing held", Plan(Forecast{}), Yellow, "the campaign holds no invitation"},
		{"all in time", Plan(Forecast{Mails: 10}), Green, "all leave before the certificate expires"},
		{"dead before", Plan(Forecast{Mails: 10, Late: 9, Already: 9}), Green, "1 leave before the certificate expires; of 9 it has expired already"},
		{"some too late", Plan(Forecast{Mails: 10, Late: 5, Already: 1}), Yellow, "4 of 9 leave after the certificate has expired"},
		{"half too late", Plan(Forecast{Mails: 10, Late: 5}), Yellow, "5 of 10 leave after the certificate has expired"},
		{"most too late", Plan(Forecast{Mails: 10, Late: 6}), Red, "6 of 10 leave after the certificate has expired"},
		{"some stay", Plan(Forecast{Mails: 9, Stay: 1}), Yellow, "1 would never leave"},
		{"all stay", Plan(Forecast{Stay: 1}), Red, "no invitation could ever leave"},
	} {
		if c.line.State != c.want || c.line.What != c.what || (c.want == Green) != (c.line.Remedy == "") {
			t.Errorf("%s: %+v, want %s: %s", c.name, c.line, c.want, c.what)
		}
	}
	if got := Reds([]Line{Good("a", ""), Bad("b", "", ""), Doubtful("c", "", ""), Bad("d", "", "")}); len(got) != 2 || got[0] != "b" || got[1] != "d" {
		t.Errorf("red are %q", got)
	}
}
