package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"bascule/internal/terminal"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// D13: a start looks at the pages, the relay and DNS for seconds. A brake that somebody
// else sets meanwhile holds.
func TestBrakeDuringStart(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\n00000001;Anne Durand;a@exemple.example;A1;CN=AC Exemple;31/12/2099\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o *operator
	var meanwhile sync.Once
	pages := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		meanwhile.Do(func() { o.run("campaign", "set", "spring", "--per-day", "7") })
	}))
	t.Cleanup(pages.Close)
	o = newOperator(t, "DATABASE_URL="+sqltest.As(t, sqltest.Open(t).URL, sqltest.Application), "SECRET_KEY="+storyKey, "PUBLIC_URL=http://"+pages.Listener.Addr().String())
	pages.Start()
	o.run("import", list, "--campaign", "spring")
	l := ask[terminal.Campaign](o, "campaign", "start", "spring", "--pilot", "3", "--anyway", "a rehearsal")
	if l.State != sql.CampaignRunning || l.PerDay != 7 || l.Pilot != 3 {
		t.Errorf("it is %s with %d a day and a pilot of %d, want it running with 7 and 3", l.State, l.PerDay, l.Pilot)
	}
}
