package jobs

import (
	"testing"

	"bascule/sql"
)

// D15: each line of the table stops at its share, with its minimum of mails and its
// minimum of events, and not below any of them.
func TestHarm(t *testing.T) {
	complaints := func(hours, events, of int) sql.CampaignSignals {
		return sql.CampaignSignals{Hours: hours, Complaints: events, Mails: of}
	}
	dead := func(hours, events, of int) sql.CampaignSignals {
		return sql.CampaignSignals{Hours: hours, Dead: events, Mails: of}
	}
	failures := func(hours, events, of int) sql.CampaignSignals {
		return sql.CampaignSignals{Hours: hours, Failures: events, Entries: of}
	}
	for _, c := range []struct {
		name  string
		s     sql.CampaignSignals
		stops bool
	}{
		{"complaints in an hour", complaints(1, 5, 200), true},
		{"of too few mails", complaints(1, 5, 199), false},
		{"too few", complaints(1, 4, 200), false},
		{"below the share", complaints(1, 5, 501), false},
		{"complaints in a day", complaints(24, 10, 1000), true},
		{"of too few mails in a day", complaints(24, 10, 999), false},
		{"too few in a day", complaints(24, 9, 1000), false},
		{"below the share of a day", complaints(24, 10, 3334), false},
		{"dead in an hour", dead(1, 20, 100), true},
		{"dead of too few mails", dead(1, 20, 99), false},
		{"too few dead", dead(1, 19, 100), false},
		{"dead below the share", dead(1, 20, 201), false},
		{"dead in a day", dead(24, 100, 1000), true},
		{"dead of too few mails in a day", dead(24, 100, 999), false},
		{"too few dead in a day", dead(24, 99, 1000), false},
		{"dead below the share of a day", dead(24, 100, 2001), false},
		{"failures in an hour", failures(1, 20, 100), true},
		{"failures of too few entries", failures(1, 20, 99), false},
		{"too few failures", failures(1, 19, 100), false},
		{"failures below the share", failures(1, 20, 401), false},
		{"failures in a day are no line", failures(24, 5000, 5000), false},
		{"nothing", sql.CampaignSignals{Hours: 1}, false},
	} {
		if why, motif := harm(c.s); (why != "") != c.stops || (motif != "") != c.stops {
			t.Errorf("%s: %q, %q", c.name, why, motif)
		}
	}
	why, motif := harm(complaints(1, 6, 400))
	if why != "stopped: 6 complaints of 400 within 1 h (1.5 %, at most 1.0 %)" || motif != "6 plaintes sur 400 en 1\u00a0h (1,5\u00a0%, pour une limite de 1,0\u00a0%)" {
		t.Errorf("it says %q and %q", why, motif)
	}
}
