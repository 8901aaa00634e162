package sql_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// facts is every row of the tables about spaces.
func (d *desk) facts() string {
	d.t.Helper()
	return d.Text(d.t, `SELECT string_agg(query_to_xml('SELECT * FROM ' || name || ' AS t ORDER BY t::text', true, false, '')::text, E'\n' ORDER BY name)
		FROM unnest('{space,request,code,obligation,recap,audit}'::text[]) AS name`)
}

// ways lead a fresh request to each state that it can have.
var ways = []struct {
	state conversion.State
	go_   func(d *desk, number string, request int64)
}{
	{conversion.StateRequested, func(*desk, string, int64) {}},
	{conversion.StateMailed, func(d *desk, _ string, request int64) { d.mail(request) }},
	{conversion.StateActivated, func(d *desk, _ string, request int64) { d.must(d.activate(d.mail(request))) }},
	{conversion.StateExpired, func(d *desk, _ string, request int64) { d.mail(request); d.expire(request) }},
	{conversion.StateUndeliverable, func(d *desk, _ string, request int64) { d.refuse(request) }},
	{conversion.StateCancelled, func(d *desk, number string, _ int64) {
		d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number)))
	}},
}

// expire moves the deadline of a mailed request to now and sweeps.
func (d *desk) expire(request int64) {
	d.t.Helper()
	d.overdue(request)
	_, err := d.Sweep(d.ctx, 1000)
	d.must(err)
	if got := d.state(request); got != conversion.StateExpired {
		d.t.Fatalf("the request is %s, want expired", got)
	}
}

// overdue moves the deadline of a mailed request to now: nobody has swept yet.
func (d *desk) overdue(request int64) {
	d.t.Helper()
	d.Overdue(d.t, request)
}

// refuse has the relay refuse the address of the code mail for good.
func (d *desk) refuse(request int64) {
	d.t.Helper()
	h := d.startOf(request)
	for _, m := range h.mails {
		d.must(d.FinishRefused(d.ctx, []sql.Failure{{Mail: m, Refusal: "550 5.1.1 no such user", Reply: "550 5.1.1"}}))
	}
}

// D9: contents that are held already are unchanged, whatever became of the
// request, and touch nothing. R4: least of all a switched space.
func TestHeldContents(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, way := range ways {
		number, email := fmt.Sprintf("0000%02d", i), fmt.Sprintf("held%d@duvallon.example", i)
		request := d.invite(number, email)
		way.go_(d, number, request)
		if got := d.state(request); got != way.state {
			t.Fatalf("the request is %s, want %s", got, way.state)
		}
		before := d.facts()
		if got := d.kinds(row(number, email)); got != "unchanged" {
			t.Errorf("%s: the verdict is %s, want unchanged", way.state, got)
		}
		if d.facts() != before {
			t.Errorf("%s: something has changed", way.state)
		}
	}
	d.sound()
}

// D9: other contents bring a certificate space up to date. They open a request
// where none is open, and none where one is.
func TestOtherContents(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, way := range ways {
		number, email := fmt.Sprintf("0000%02d", i), fmt.Sprintf("other%d@duvallon.example", i)
		request := d.invite(number, email)
		way.go_(d, number, request)
		want, opens, name := "accepted", !way.state.Open(), "Renée Œuvrard"
		if way.state == conversion.StateActivated {
			want, opens, name = "unchanged", false, "Camille Duvallon"
		}
		if got := d.kinds(row(number, email, holder("Renée Œuvrard"))); got != want {
			t.Errorf("%s: the verdict is %s, want %s", way.state, got, want)
		}
		if opened := d.latest(number) != request; opened != opens {
			t.Errorf("%s: a new request was opened: %t, want %t", way.state, opened, opens)
		}
		if got := d.Text(t, `SELECT holder FROM space WHERE number = $1`, number); got != name {
			t.Errorf("%s: the holder is %s, want %s", way.state, got, name)
		}
		if got := d.state(request); got != way.state {
			t.Errorf("%s: the first request is %s now", way.state, got)
		}
	}
	d.sound()
}

// D9: another address while a request without credentials is open makes a new
// generation: the old code is dead, the new one works, and it is one request.
func TestAnotherContactAddress(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, old := d.invited("000001", "old@duvallon.example")
	if _, err := d.Bounced(d.ctx, request, 1, conversion.BounceGone); err != nil {
		t.Fatal(err)
	}
	result, verdicts := d.run(d.sheet(row("000001", "new@duvallon.example")))
	if kindsOf(verdicts) != "accepted" || d.latest("000001") != request {
		t.Fatalf("verdicts %v, latest request %d, want the same request %d", verdicts, d.latest("000001"), request)
	}
	d.refused(old)
	if got := d.state(request); got != conversion.StateRequested {
		t.Errorf("the request is %s, want requested", got)
	}
	got := d.Text(t, `SELECT row(generation, purpose, email, batch_id, bounced_at, expires_at)::text FROM request_code WHERE id = $1`, request)
	if want := fmt.Sprintf("(2,identify,new@duvallon.example,%d,,)", result.Batch); got != want {
		t.Errorf("the request has %s, want %s", got, want)
	}
	p := d.mail(request)
	d.accepted(p, request)
	if p.email.String() != "new@duvallon.example" {
		t.Errorf("the code goes to %s", p.email)
	}
	if got, want := d.audit(request), "requested by admin, mailed by worker, bounced by worker, address changed by admin, mailed by worker"; got != want {
		t.Errorf("the audit log says %s, want %s", got, want)
	}
	d.sound()
}

// D9, D8: a request that carries credentials is the subscriber's own business;
// the verdict says until when.
func TestOpenRequestWithCredentials(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "contact@duvallon.example")
	if _, err := d.choose(p, "mine@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	for _, mailed := range []bool{false, true} {
		want := "l’abonné a lui-même une demande en cours"
		if mailed {
			d.mail(request)
			at := d.Deadline(t, request).In(conversion.Paris)
			want += fmt.Sprintf(", jusqu’au %s à %d\u00a0h\u00a0%02d (heure de Paris)", at.Format("02/01/2006"), at.Hour(), at.Minute())
		}
		before := d.facts()
		_, verdicts := d.run(d.sheet(row("000001", "new@duvallon.example", holder("Autre"))))
		if verdicts[0].Kind != "unchanged" || verdicts[0].Reason != want {
			t.Errorf("the verdict is %+v, want unchanged, %q", verdicts[0], want)
		}
		if d.facts() != before {
			t.Error("something has changed")
		}
	}
}

// R21, D9: an overdue request is closed before the row is judged, swept or not:
// other contents open a new one.
func TestImportClosesOverdueRequests(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "contact@duvallon.example")
	if _, err := d.choose(p, "mine@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	d.mail(request)
	d.overdue(request)
	if got := d.kinds(row("000001", "new@duvallon.example")); got != "accepted" || d.latest("000001") == request {
		t.Errorf("the verdict is %s, the latest request %d", got, d.latest("000001"))
	}
	if got := d.Text(t, `SELECT row(expired_at IS NOT NULL, password_hash)::text FROM request WHERE id = $1`, request); got != "(t,)" {
		t.Errorf("expired, hash: %s", got)
	}
	d.sound()
}

// D9, D2: the rows of one file are compared with each other.
func TestRowsOfOneFile(t *testing.T) {
	t.Parallel()
	const (
		n1, n2, n3 = "000001", "000002", "000003"
		a, b       = "a@duvallon.example", "b@duvallon.example"
	)
	for _, test := range []struct {
		name string
		rows []sql.ImportRow
		want string // kind, cell and reason of each row
	}{
		{"identical rows name the first", []sql.ImportRow{row(n1, a), row(n2, b), row(n1, a), row(n1, a)},
			"accepted,,|accepted,,|unchanged,,identique à la ligne 2|unchanged,,identique à la ligne 2"},
		{"differing rows name each other", []sql.ImportRow{row(n1, a), row(n2, b), row(n1, b)},
			"rejected,A2,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 4|accepted,,|" +
				"rejected,A4,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 4"},
		{"two alike and one that differs", []sql.ImportRow{row(n1, a), row(n1, a), row(n1, a, holder("Autre"))},
			"rejected,A2,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 3, 4|" +
				"rejected,A3,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 3, 4|" +
				"rejected,A4,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 3, 4"},
		{"a malformed row beside a good one", []sql.ImportRow{row(n1, a), malformed(n1)},
			"rejected,A2,ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 3|" +
				"rejected,C9,adresse électronique manquante\u00a0; ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 3"},
		{"malformed rows under one number", []sql.ImportRow{malformed(n1), row(n2, a), malformed(n1)},
			"rejected,C9,adresse électronique manquante\u00a0; ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 4|accepted,,|" +
				"rejected,C9,adresse électronique manquante\u00a0; ce numéro d’abonné figure sur plusieurs lignes au contenu différent\u00a0: lignes 2, 4"},
		{"malformed rows without number", []sql.ImportRow{malformed(""), malformed(""), row(n1, a)},
			"rejected,C9,adresse électronique manquante|rejected,C9,adresse électronique manquante|accepted,,"},
		{"one certificate under two numbers", []sql.ImportRow{row(n1, a, serial("ab")), row(n2, b), row(n3, a, serial("ab"))},
			"rejected,D2,ce certificat figure sous plusieurs numéros d’abonné\u00a0: lignes 2, 4|accepted,,|" +
				"rejected,D4,ce certificat figure sous plusieurs numéros d’abonné\u00a0: lignes 2, 4"},
		{"one certificate, its issuer written twice", []sql.ImportRow{row(n1, a, serial("ab")), row(n2, b, serial("ab"), issuer("cn=ac DES exemples"))},
			"rejected,D2,ce certificat figure sous plusieurs numéros d’abonné\u00a0: lignes 2, 3|" +
				"rejected,D3,ce certificat figure sous plusieurs numéros d’abonné\u00a0: lignes 2, 3"},
		{"one serial number of two issuers", []sql.ImportRow{row(n1, a, serial("ab")), row(n2, b, serial("ab"), issuer("CN=Autre"))},
			"accepted,,|accepted,,"},
		{"a shared contact address", []sql.ImportRow{row(n1, a), row(n2, a), row(n3, a)}, "accepted,,|accepted,,|accepted,,"},
		{"numbers that differ by case or zeros", []sql.ImportRow{row("00000a", a), row("00000A", b), row("000000A", a)}, "accepted,,|accepted,,|accepted,,"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			_, verdicts := d.run(d.sheet(test.rows...))
			var got []string
			for _, v := range verdicts {
				got = append(got, v.Kind+","+v.Cell+","+v.Reason)
			}
			if strings.Join(got, "|") != test.want {
				t.Errorf("verdicts\n%s, want\n%s", strings.Join(got, "\n"), strings.ReplaceAll(test.want, "|", "\n"))
			}
			accepted := strings.Count(test.want, "accepted")
			if n := d.count(`SELECT count(*) FROM request`); n != accepted {
				t.Errorf("%d requests, want %d", n, accepted)
			}
			if n := d.count(`SELECT count(*) FROM rejected`); n != strings.Count(test.want, "rejected,") {
				t.Errorf("%d rejected rows are kept", n)
			}
			d.sound()
		})
	}
}

func issuer(name string) func(*conversion.Space) {
	return func(s *conversion.Space) { s.Certificate.Issuer = name }
}

// D2, R6: an address that a password space has already is rejected with its
// cell, for an unknown space and a known one.
func TestAddressOfAPasswordSpace(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "taken@duvallon.example")
	d.invite("000002", "free@duvallon.example")
	before := d.facts()
	_, verdicts := d.run(d.sheet(row("000002", "Taken@Duvallon.example"), row("000003", "taken@duvallon.example")))
	for i, v := range verdicts {
		want := sql.Verdict{Line: firstLine + i, Kind: "rejected", Cell: fmt.Sprint("C", firstLine+i),
			Reason: "cette adresse électronique est déjà l’identifiant d’un autre espace sans certificat"}
		if v != want {
			t.Errorf("the verdict is %+v, want %+v", v, want)
		}
	}
	if d.facts() != before {
		t.Error("something has changed")
	}
}

// D9: a warning stands beside an accepted row, and beside no other. An older list that
// puts an address back which has changed since is told so, too.
func TestWarnings(t *testing.T) {
	t.Parallel()
	d := open(t)
	hidden := row("000001", "a@duvallon.example", serial("ab"))
	hidden.Warning = "ligne masquée"
	clash := row("000002", "b@duvallon.example", serial("ab"))
	for _, step := range []struct {
		row  sql.ImportRow
		want sql.Verdict
	}{
		{hidden, sql.Verdict{Line: 2, Kind: "accepted", Reason: "ligne masquée"}},
		{hidden, sql.Verdict{Line: 2, Kind: "unchanged", Reason: "déjà connu, sans changement"}},
		{row("000001", "c@duvallon.example", serial("ab")), sql.Verdict{Line: 2, Kind: "accepted", Reason: "l’adresse de contact change"}},
		{hidden, sql.Verdict{Line: 2, Kind: "accepted", Reason: "l’adresse de contact change\u00a0; ligne masquée"}},
		{clash, sql.Verdict{Line: 2, Kind: "accepted", Reason: "attention\u00a0: ce certificat est aussi celui de l’espace 000001"}},
	} {
		if _, verdicts := d.run(d.sheet(step.row)); verdicts[0] != step.want {
			t.Errorf("the verdict is %+v, want %+v", verdicts[0], step.want)
		}
	}
}

// C1: --within takes certificates that expire by that day in Paris, expired ones too.
// Rows that are not due are not stored, and may be due later.
func TestWithin(t *testing.T) {
	t.Parallel()
	d := open(t)
	day := func(month time.Month, n int) func(*conversion.Space) {
		return expires(time.Date(2027, month, n, 0, 0, 0, 0, time.UTC))
	}
	rows := []sql.ImportRow{
		row("000001", "a@duvallon.example", day(1, 1)), // long over
		row("000002", "a@duvallon.example", day(4, 10)),
		row("000003", "a@duvallon.example", day(4, 11)),
		row("000004", "a@duvallon.example", day(4, 12)),
	}
	for _, test := range []struct {
		name, now, want string
		within          time.Duration
	}{
		{"before midnight in Paris, summer time comes in between", "2027-01-10T22:59:59Z", "accepted accepted not_due not_due", 90 * 24 * time.Hour},
		{"after it", "2027-01-10T23:00:00Z", "accepted accepted accepted not_due", 90 * 24 * time.Hour},
		{"all", "2027-01-10T23:00:00Z", "accepted accepted accepted accepted", 0},
		{"today alone", "2027-04-10T21:59:58Z", "accepted accepted not_due not_due", time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.on(t)
			now, err := time.Parse(time.RFC3339, test.now)
			d.must(err)
			d.Freeze(t, now)
			in := d.sheet(rows...)
			in.Within, in.DryRun = test.within, true
			if _, verdicts := d.run(in); kindsOf(verdicts) != test.want {
				t.Errorf("the verdicts are %s, want %s", kindsOf(verdicts), test.want)
			}
		})
	}
	in := d.sheet(rows...)
	in.Within = 0
	d.Freeze(t, time.Date(2027, 1, 10, 23, 0, 0, 0, time.UTC))
	in.Within = 90 * 24 * time.Hour
	first, _ := d.run(in)
	if n := d.count(`SELECT count(*) FROM space`); n != 3 {
		t.Errorf("%d spaces are stored, want 3", n)
	}
	d.Freeze(t, time.Date(2027, 1, 11, 23, 0, 0, 0, time.UTC))
	second, verdicts := d.run(in)
	if kindsOf(verdicts) != "unchanged unchanged unchanged accepted" || second.Batch != first.Batch {
		t.Errorf("a day later: %s, batch %d, want batch %d", kindsOf(verdicts), second.Batch, first.Batch)
	}
}

// D9, R8–R10: the second sheet. Companies are replaced whole. A row with wrong
// companies is rejected. A number that the sheet does not name keeps its companies.
func TestDossiers(t *testing.T) {
	t.Parallel()
	d := open(t)
	one, two := row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example")
	line := func(number, siren, company, service string) sql.DossierRow {
		return sql.DossierRow{Number: conversion.SubscriberNumber(number), SIREN: conversion.SIREN(siren), Company: company, Service: service}
	}
	unread := sql.DossierRow{Number: "000002", Cell: "Dossiers!B9", Reason: "SIREN mal formé"}
	const none, bakery = `[]`, `[{"name": "Boulangerie", "siren": "123456789", "services": ["Paiement", "TVA"]}]`
	for _, step := range []struct {
		name     string
		sheet    bool
		dossiers []sql.DossierRow
		want     string // the verdict of both rows
		reason   string // of the second
		first    string // companies of the first
	}{
		{"a bad company rejects a new row", true, []sql.DossierRow{unread}, "accepted rejected", "feuille Dossiers\u00a0: SIREN mal formé", none},
		{"two names for one SIREN", true, []sql.DossierRow{line("000002", "123456789", "Boulangerie", ""), line("000002", "123456789", "Pâtisserie", "")},
			"unchanged rejected", "feuille Dossiers\u00a0: le SIREN 123456789 y porte deux raisons sociales", none},
		{"no such sheet", false, nil, "unchanged accepted", "", none},
		{"new companies", true, []sql.DossierRow{line("000001", "123456789", "Boulangerie", "TVA"), line("000001", "123456789", "Boulangerie", "Paiement"),
			line("000001", "123456789", "Boulangerie", "TVA"), line("000001", "123456789", "Boulangerie", "")}, "accepted unchanged", "déjà connu, sans changement", bakery},
		{"the same in another order", true, []sql.DossierRow{line("000001", "123456789", "Boulangerie", "Paiement"), line("000001", "123456789", "Boulangerie", "TVA")},
			"unchanged unchanged", "déjà connu, sans changement", bakery},
		{"no such sheet any more", false, nil, "unchanged unchanged", "déjà connu, sans changement", bakery},
		{"a sheet that does not name it", true, []sql.DossierRow{line("000002", "987654321", "Garage", "")}, "unchanged accepted", "", bakery},
		{"a service less", true, []sql.DossierRow{line("000001", "123456789", "Boulangerie", "TVA")}, "accepted unchanged", "déjà connu, sans changement",
			`[{"name": "Boulangerie", "siren": "123456789", "services": ["TVA"]}]`},
		{"a line without number", true, []sql.DossierRow{{Cell: "Dossiers!A9", Reason: "numéro manquant"}}, "unchanged unchanged", "déjà connu, sans changement",
			`[{"name": "Boulangerie", "siren": "123456789", "services": ["TVA"]}]`},
	} {
		t.Run(step.name, func(t *testing.T) {
			d := d.on(t)
			in := d.sheet(one, two)
			for i := range step.dossiers {
				step.dossiers[i].Line = firstLine + i
			}
			if step.sheet {
				in.Dossiers = sequence(step.dossiers, nil)
			}
			_, verdicts := d.run(in)
			if kindsOf(verdicts) != step.want || verdicts[1].Reason != step.reason {
				t.Errorf("the verdicts are %+v, want %s, %q", verdicts, step.want, step.reason)
			}
			if got := d.Text(t, `SELECT companies FROM space WHERE number = '000001'`); got != step.first {
				t.Errorf("the companies are %s, want %s", got, step.first)
			}
		})
	}
}

// R8: a SIREN with two names is rejected at the first cell of those that hold it,
// in whichever column they stand.
func TestDossiersCell(t *testing.T) {
	t.Parallel()
	d := open(t)
	in := d.sheet(row("000001", "a@duvallon.example"))
	in.Columns.SIREN = "AB"
	in.Dossiers = sequence([]sql.DossierRow{
		{Line: 3, Number: "000001", SIREN: "987654321", Company: "Garage"},
		{Line: 5, Number: "000001", SIREN: "123456789", Company: "Boulangerie"},
		{Line: 7, Number: "000001", SIREN: "123456789", Company: "Pâtisserie"},
	}, nil)
	if _, verdicts := d.run(in); verdicts[0].Kind != "rejected" || verdicts[0].Cell != "Dossiers!AB5" {
		t.Errorf("the verdict is %+v", verdicts[0])
	}
}

// I8: the companies of one space are bounded. The verdict names the bound and the first
// cell beyond it. A space at the bounds is accepted whole (C4).
func TestDossierBounds(t *testing.T) {
	t.Parallel()
	d := open(t)
	sheet := func(companies, services int) (rows []sql.DossierRow) {
		for c := range companies {
			for s := range services {
				rows = append(rows, sql.DossierRow{Line: len(rows) + 2, Number: "000001", SIREN: conversion.SIREN(fmt.Sprintf("%09d", c)),
					Company: fmt.Sprintf("Entreprise %d", c), Service: fmt.Sprintf("Service %d", s)})
			}
		}
		return rows
	}
	for _, test := range []struct {
		companies, services int
		cell, reason        string
	}{
		{500, 20, "", ""},
		{200, 50, "", ""},
		{501, 1, "Dossiers!B502", "plus de 500 entreprises pour cet espace"},
		{2, 51, "Dossiers!B52", "plus de 50 services pour le SIREN 000000000"},
		{201, 50, "Dossiers!B10002", "plus de 10000 services pour cet espace"},
		{2000, 1, "Dossiers!B502", "plus de 500 entreprises pour cet espace"},
	} {
		in := d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"))
		in.Columns.SIREN = "B"
		in.DryRun = test.reason != ""
		in.Dossiers = sequence(sheet(test.companies, test.services), nil)
		_, verdicts := d.run(in)
		v := verdicts[0]
		if test.reason == "" && v.Kind != "accepted" || test.reason != "" && (v.Kind != "rejected" || v.Cell != test.cell || v.Reason != "feuille Dossiers\u00a0: "+test.reason) {
			t.Errorf("%d companies with %d services: %+v", test.companies, test.services, v)
		}
		if test.reason != "" {
			continue
		}
		held, err := d.CompaniesOf(d.ctx, int64(d.count(`SELECT id FROM space WHERE number = '000001'`)), "000000007")
		d.must(err)
		if len(held.All) != test.companies || held.Services != test.companies*test.services || held.Chosen.SIREN != "000000007" || len(held.Chosen.Services) != test.services {
			t.Errorf("%d companies with %d services: read are %d with %d, chosen %+v", test.companies, test.services, len(held.All), held.Services, held.Chosen)
		}
	}
}

// D9: rows of the second sheet that belong to no row of the first are counted.
func TestOrphanDossiers(t *testing.T) {
	t.Parallel()
	d := open(t)
	in := d.sheet(row("000001", "a@duvallon.example"), malformed(""))
	in.Dossiers = sequence([]sql.DossierRow{
		{Line: 2, Number: "000001", SIREN: "123456789", Company: "Boulangerie"},
		{Line: 3, Number: "000009", SIREN: "123456789", Company: "Boulangerie"},
		{Line: 4, Number: "000009", SIREN: "987654321", Company: "Garage"},
		{Line: 5, Cell: "Dossiers!A5", Reason: "numéro manquant"},
	}, nil)
	if r, _ := d.run(in); r.OrphanDossiers != 3 || r.Accepted != 1 {
		t.Errorf("the result is %+v", r)
	}
	if r, _ := d.run(d.sheet(row("000002", "b@duvallon.example"))); r.OrphanDossiers != 0 {
		t.Errorf("without the sheet the result is %+v", r)
	}
}

var errCut = errors.New("the file ends here")

// D9: all of a file is stored or nothing. After any failure on the way nothing is
// stored, and the next import finds everything in order.
func TestNothingIsStored(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invited("000001", "a@duvallon.example")
	rows := []sql.ImportRow{row("000001", "b@duvallon.example"), row("000002", "c@duvallon.example"), malformed("000003")}
	drain := func(seq iter.Seq2[sql.Verdict, error]) error {
		for range seq {
		}
		return nil
	}
	for _, test := range []struct {
		name     string
		change   func(*sql.Import)
		verdicts func(iter.Seq2[sql.Verdict, error]) error
	}{
		{"a row too few", func(in *sql.Import) { in.Expect++ }, drain},
		{"a row too many", func(in *sql.Import) { in.Expect-- }, drain},
		{"no row", func(in *sql.Import) { in.Rows = sequence([]sql.ImportRow{}, nil) }, drain},
		{"an error at once", func(in *sql.Import) { in.Rows = sequence([]sql.ImportRow{}, errCut) }, drain},
		{"an error on the way", func(in *sql.Import) { in.Rows = sequence(rows[:1], errCut) }, drain},
		{"an error after the last row", func(in *sql.Import) { in.Rows = sequence(rows, errCut) }, drain},
		{"an error of the second sheet", func(in *sql.Import) { in.Dossiers = sequence([]sql.DossierRow{}, errCut) }, drain},
		{"a line that stands twice", func(in *sql.Import) { in.Rows = sequence([]sql.ImportRow{rows[0], rows[1], rows[1]}, nil) }, drain},
		{"a value that no text can hold", func(in *sql.Import) {
			bad := rows[0]
			bad.Space.Holder = "a\x00b"
			in.Rows = sequence([]sql.ImportRow{bad, rows[1], rows[2]}, nil)
		}, drain},
		{"an error of the verdicts", func(*sql.Import) {}, func(seq iter.Seq2[sql.Verdict, error]) error {
			for range seq {
				return errCut
			}
			return nil
		}},
		{"an error after the verdicts", func(*sql.Import) {}, func(seq iter.Seq2[sql.Verdict, error]) error {
			return errors.Join(drain(seq), errCut)
		}},
		{"a dry run", func(in *sql.Import) { in.DryRun = true }, drain},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.on(t)
			before := d.Dump(t)
			in := d.sheet(rows...)
			test.change(&in)
			_, err := d.Import(d.ctx, in, test.verdicts)
			if in.DryRun != (err == nil) {
				t.Errorf("the import ends with %v", err)
			}
			if d.Dump(t) != before {
				t.Error("something was stored")
			}
		})
	}
	t.Run("the context ends", func(t *testing.T) {
		before := d.Dump(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := d.Import(ctx, d.sheet(rows...), func(iter.Seq2[sql.Verdict, error]) error { cancel(); return nil })
		if err == nil || d.Dump(t) != before {
			t.Errorf("error %v; or something was stored", err)
		}
	})
	d = d.on(t)
	if got := d.kinds(rows...); got != "accepted accepted rejected" {
		t.Errorf("afterwards the verdicts are %s", got)
	}
}

// D9: a dry run gives the verdicts that the real run gives after it.
func TestDryRun(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "taken@duvallon.example")
	d.invited("000002", "b@duvallon.example")
	request, _ := d.invited("000003", "c@duvallon.example")
	d.overdue(request)
	rows := []sql.ImportRow{
		row("000001", "z@duvallon.example"), row("000002", "z@duvallon.example"), row("000003", "z@duvallon.example"),
		row("000004", "taken@duvallon.example"), row("000005", "z@duvallon.example", expires(expiry.AddDate(20, 0, 0))),
		row("000006", "z@duvallon.example"), row("000006", "z@duvallon.example"), malformed("000007"),
	}
	in := d.sheet(rows...)
	in.Within = 5000 * 24 * time.Hour
	in.DryRun = true
	before := d.Dump(t)
	dry, dryVerdicts := d.run(in)
	if d.Dump(t) != before {
		t.Error("the dry run has stored something")
	}
	in.DryRun = false
	real, realVerdicts := d.run(in)
	if !slices.Equal(dryVerdicts, realVerdicts) {
		t.Errorf("the verdicts are\n%+v in the dry run,\n%+v in the real one", dryVerdicts, realVerdicts)
	}
	if got, want := kindsOf(realVerdicts), "unchanged accepted accepted rejected not_due accepted unchanged rejected"; got != want {
		t.Errorf("the verdicts are %s, want %s", got, want)
	}
	if dry.Batch != 0 || real.Batch == 0 {
		t.Errorf("the dry run of an unknown file tells batch %d, the real one %d", dry.Batch, real.Batch)
	}
	in.DryRun = true
	if again, _ := d.run(in); again.Batch != real.Batch {
		t.Errorf("a dry run of a known file tells batch %d, want %d", again.Batch, real.Batch)
	}
	d.sound()
}

// I1, D9: the same file twice, or twice at once, is one batch and changes
// nothing the second time.
func TestSameFileAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	var rows []sql.ImportRow
	for i := range 500 {
		rows = append(rows, row(fmt.Sprintf("%06d", i), fmt.Sprintf("a%d@duvallon.example", i/2)))
	}
	in := d.sheet(rows...)
	results := make([]sql.ImportResult, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			var err error
			if results[i], err = d.Import(d.ctx, in, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	accepted := 0
	for _, r := range results {
		accepted += r.Accepted
		if r.Accepted != 0 && r.Accepted != 500 || r.Batch != results[0].Batch {
			t.Errorf("one of four at once: %+v", r)
		}
	}
	if n := d.count(`SELECT count(*) FROM request`); accepted != 500 || n != 500 {
		t.Errorf("%d rows were accepted, %d requests opened, want 500", accepted, n)
	}
	before := d.facts()
	if r, _ := d.run(in); r.Unchanged != 500 {
		t.Errorf("the fifth run: %+v", r)
	}
	if d.facts() != before {
		t.Error("the fifth run has changed something")
	}
	if n := d.count(`SELECT count(*) FROM import`); n != 5 {
		t.Errorf("%d runs are kept, want 5", n)
	}
	d.sound()
}

// D9: a row that an earlier run of a batch rejected is forgotten once a later
// run takes it.
func TestRejectedRowsOfTheLatestRun(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.switched("000001", "taken@duvallon.example")
	in := d.sheet(row("000002", "taken@duvallon.example"), malformed("000003"))
	for range 2 {
		if _, verdicts := d.run(in); kindsOf(verdicts) != "rejected rejected" {
			t.Fatalf("the verdicts are %s", kindsOf(verdicts))
		}
	}
	d.Exec(t, fmt.Sprintf(`BEGIN; SET LOCAL session_replication_role = replica; -- nobody asks for the audit entry
		UPDATE space SET email = 'x@duvallon.example', email_key = 'x@duvallon.example' WHERE id = (SELECT space_id FROM request WHERE id = %d); COMMIT`, request))
	if _, verdicts := d.run(in); kindsOf(verdicts) != "accepted rejected" {
		t.Fatalf("the verdicts are %s", kindsOf(verdicts))
	}
	if got := d.Text(t, `SELECT string_agg(line || ' ' || number || ' ' || cell, ', ') FROM rejected`); got != "3 000003 C9" {
		t.Errorf("rejected rows are %s", got)
	}
}

// I2, I3, D9: an import that changes the address of a request while a
// subscriber activates it. Exactly one prevails.
func TestImportRacesActivation(t *testing.T) {
	t.Parallel()
	d := open(t)
	won := make(map[string]int)
	for i := range 30 {
		number := fmt.Sprintf("%06d", i)
		request, p := d.invited(number, fmt.Sprintf("old%d@duvallon.example", i))
		form, err := d.form(p, p.email)
		d.must(err)
		in := d.sheet(row(number, fmt.Sprintf("new%d@duvallon.example", i)))
		reached := make(chan struct{})
		reach := sync.OnceFunc(func() { close(reached) })
		stages := []string{"waiting for other imports", "reading", "judging", "storing"}
		in.Stage = func(stage string) {
			if stage == stages[i%len(stages)] {
				reach()
			}
		}
		var result sql.ImportResult
		var importErr, activateErr error
		var wg sync.WaitGroup
		wg.Go(func() { result, importErr = d.Import(d.ctx, in, nil) })
		wg.Go(func() { <-reached; activateErr = d.switchBy(form) })
		wg.Wait()
		d.must(importErr)
		switch state := d.state(request); {
		case activateErr == nil && result.Unchanged == 1 && state == conversion.StateActivated:
			won["activation"]++
		case errors.Is(activateErr, conversion.ErrCodeRefused) && result.Accepted == 1 && state == conversion.StateRequested:
			won["import"]++
			d.refused(p)
		default:
			t.Fatalf("round %d: the import %+v, the activation %v, the request %s", i, result, activateErr, state)
		}
	}
	t.Logf("rounds won: %v", won)
	d.sound()
}

// I1, I9, D9: each accepted row has led to one request, which is its batch's: one
// that was open already comes along when its data or its address change, with an
// entry in the log.
func TestRequestsFollowTheirRow(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, _ := d.run(d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"), row("000003", "c@duvallon.example")))
	second, _ := d.run(d.sheet(row("000001", "a@duvallon.example", holder("Renée Œuvrard")), row("000002", "other@duvallon.example"), row("000003", "c@duvallon.example")))
	if second.Accepted != 2 || second.Unchanged != 1 {
		t.Fatalf("%+v", second)
	}
	for batch, want := range map[int64]int{first.Batch: 1, second.Batch: 2} {
		s, err := d.Status(d.ctx, batch)
		d.must(err)
		if got := s.Requested; got != want {
			t.Errorf("batch %d has %d requests, want %d", batch, got, want)
		}
	}
	if got := d.audit(d.latest("000001")); !strings.Contains(got, "data updated") {
		t.Errorf("the log of the changed row says %q", got)
	}
	d.sound()
}
