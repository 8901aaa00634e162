package sql_test

import (
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// A desk is a database, and what importers, workers, subscribers and
// administrators do to it.
type desk struct {
	*sqltest.DB
	t    testing.TB
	ctx  context.Context
	keys *conversion.Keyring
}

func open(t testing.TB) *desk {
	t.Helper()
	return &desk{DB: sqltest.Open(t), t: t, ctx: t.Context(), keys: sqltest.Keys(t)}
}

// on is the same desk, in a subtest.
func (d *desk) on(t testing.TB) *desk {
	return &desk{DB: d.DB, t: t, ctx: t.Context(), keys: d.keys}
}

// otherKeys is a keyring whose newest key is another one, the usual one beside it.
func otherKeys(t testing.TB) *conversion.Keyring {
	t.Helper()
	keys, err := conversion.ParseKeyring("YW5vdGhlciBrZXksIGZvciB0ZXN0cyBvZiByb3RhdGlvbiBvbmx5IQ==,dGVzdHMgYWxvbmUgdXNlIHRoaXMga2V5LCBub2JvZHkgZWxzZSE=")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// expiry is the day on which the certificates of row expire.
var expiry = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)

// row is a well-formed row of a sheet. Its certificate is its own, and line is
// set by sheet.
func row(number, email string, change ...func(*conversion.Space)) sql.ImportRow {
	e, err := conversion.ParseEmail(email)
	if err != nil {
		panic(err) // a mistake in the test
	}
	s := conversion.Space{
		Number: conversion.SubscriberNumber(number), Holder: "Camille Duvallon", Contact: e,
		Certificate: conversion.Certificate{Serial: conversion.SerialNumber(fmt.Sprintf("%x", number)), Issuer: "CN=AC des exemples", Expires: expiry},
	}
	for _, f := range change {
		f(&s)
	}
	return sql.ImportRow{Space: s}
}

// malformed is a row that the importer could not read.
func malformed(number string) sql.ImportRow {
	return sql.ImportRow{Space: conversion.Space{Number: conversion.SubscriberNumber(number)}, Cell: "C9", Reason: "adresse électronique manquante"}
}

func holder(name string) func(*conversion.Space) {
	return func(s *conversion.Space) { s.Holder = name }
}

func serial(n string) func(*conversion.Space) {
	return func(s *conversion.Space) { s.Certificate.Serial = conversion.SerialNumber(n) }
}

func expires(day time.Time) func(*conversion.Space) {
	return func(s *conversion.Space) { s.Certificate.Expires = day }
}

// firstLine is where the rows of a sheet begin, below its header.
const firstLine = 2

// sheet is the import of rows. Their contents name it.
func (d *desk) sheet(rows ...sql.ImportRow) sql.Import {
	for i := range rows {
		rows[i].Line = firstLine + i
	}
	return sql.Import{
		Hash: sha256.Sum256(fmt.Append(nil, rows)), FileName: "lot.xlsx", Sheet: "Feuil1", Actor: "admin",
		Keys: d.keys, Columns: sql.Columns{Number: "A", Email: "C", Serial: "D"},
		Expect: len(rows), Rows: sequence(rows, nil),
	}
}

// sequence yields values, then err if there is one.
func sequence[T any](values []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// run imports and returns the verdicts, after checking that they add up.
func (d *desk) run(in sql.Import) (sql.ImportResult, []sql.Verdict) {
	d.t.Helper()
	var verdicts []sql.Verdict
	result, err := d.Import(d.ctx, in, func(seq iter.Seq2[sql.Verdict, error]) error {
		for v, err := range seq {
			if err != nil {
				return err
			}
			verdicts = append(verdicts, v)
		}
		return nil
	})
	d.must(err)
	kinds := make(map[string]int)
	for i, v := range verdicts {
		kinds[v.Kind]++
		if v.Line != firstLine+i {
			d.t.Errorf("verdict %d is of line %d", i, v.Line)
		}
	}
	want := sql.ImportResult{Batch: result.Batch, Campaign: result.Campaign, State: result.State, OrphanDossiers: result.OrphanDossiers, Elsewhere: result.Elsewhere, Rows: in.Expect, Accepted: kinds["accepted"],
		Unchanged: kinds["unchanged"], NotDue: kinds["not_due"], Excluded: kinds["excluded"], Rejected: kinds["rejected"]}
	if result != want || result.Accepted+result.Unchanged+result.NotDue+result.Excluded+result.Rejected != in.Expect {
		d.t.Errorf("result is %+v, its verdicts are %+v", result, want)
	}
	return result, verdicts
}

// holdImports keeps imports from their end, until the transaction ends.
func (d *desk) holdImports() *stdsql.Tx {
	d.t.Helper()
	tx, err := d.Raw.BeginTx(d.ctx, nil)
	d.must(err)
	d.t.Cleanup(func() { tx.Rollback() })
	_, err = tx.Exec(`LOCK TABLE import IN SHARE MODE`) // an import writes there at its end
	d.must(err)
	return tx
}

// kinds are the verdicts of a sheet, in one word each.
func (d *desk) kinds(rows ...sql.ImportRow) string {
	d.t.Helper()
	_, verdicts := d.run(d.sheet(rows...))
	return kindsOf(verdicts)
}

func kindsOf(verdicts []sql.Verdict) string {
	words := make([]string, len(verdicts))
	for i, v := range verdicts {
		words[i] = v.Kind
	}
	return strings.Join(words, " ")
}

// invite imports one space and returns its request.
func (d *desk) invite(number, email string) int64 {
	d.t.Helper()
	if got := d.kinds(row(number, email)); got != "accepted" {
		d.t.Fatalf("space %s is %s, want accepted", number, got)
	}
	return d.latest(number)
}

// latest is the latest request of a number.
func (d *desk) latest(number string) (id int64) {
	d.t.Helper()
	d.must(d.Raw.QueryRow(`SELECT max(r.id) FROM request r JOIN space s ON s.id = r.space_id WHERE s.number = $1`, number).Scan(&id))
	return id
}

// state is how the product derives the state of a request.
func (d *desk) state(request int64) conversion.State {
	d.t.Helper()
	return conversion.State(d.Text(d.t, `SELECT request_state(r, bascule_now()) FROM request_code r WHERE id = $1`, request))
}

func (d *desk) count(query string, args ...any) (n int) {
	d.t.Helper()
	d.must(d.Raw.QueryRow(query, args...).Scan(&n))
	return n
}

// proof is an address and the code that was mailed to it.
type proof struct {
	email conversion.Email
	code  conversion.Code
}

// code is the code of a started mail.
func (d *desk) code(m *sql.Mail) proof { return proof{m.To, m.Code} }

// A hand is a worker that holds started mails.
type hand struct {
	*desk
	mails []*sql.Mail
}

// start starts up to limit mails of both mail lanes.
func (d *desk) start(limit int) *hand { d.t.Helper(); return d.startWith(limit, nil) }

// startWith does so, with an assistance that reminders wait for.
func (d *desk) startWith(limit int, help sql.Assistance) *hand {
	d.t.Helper()
	return d.startBy(sql.Window{Limit: limit, Help: help})
}

// startOf starts the mails of one request.
func (d *desk) startOf(request int64) *hand {
	d.t.Helper()
	return d.startBy(sql.Window{Limit: 10_000, Admit: func(mails []*sql.Mail) ([]*sql.Mail, error) {
		return slices.DeleteFunc(mails, func(m *sql.Mail) bool { return m.RequestID != request }), nil
	}})
}

func (d *desk) startBy(w sql.Window) *hand {
	d.t.Helper()
	h, limit := &hand{desk: d}, w.Limit
	w.Lifetime, w.Keys = conversion.DefaultCodeLifetime, d.keys
	for _, w.Lane = range []sql.Lane{sql.LaneInteractive, sql.LaneBulk} {
		w.Limit = limit - len(h.mails)
		s, err := d.StartMail(d.ctx, w)
		d.must(errors.Join(err, s.Unwritten))
		h.mails = append(h.mails, s.Mails...)
	}
	return h
}

func (h *hand) ids() (ids []int64) {
	for _, m := range h.mails {
		ids = append(ids, m.ID)
	}
	return ids
}

// deliver mails all that is due, as a worker with a perfect relay.
func (d *desk) deliver() int {
	d.t.Helper()
	n := 0
	for {
		h := d.start(500)
		if len(h.mails) == 0 {
			return n
		}
		n += len(h.mails)
		d.must(d.FinishAccepted(d.ctx, h.mails))
	}
}

// mail delivers the code of a request, and returns it.
func (d *desk) mail(request int64) proof {
	d.t.Helper()
	h := d.startOf(request)
	d.must(d.FinishAccepted(d.ctx, h.mails))
	for _, m := range h.mails {
		if m.Kind == sql.MailCode && m.Copy == 0 {
			return d.code(m)
		}
	}
	d.t.Fatalf("no code mail of request %d is due", request)
	return proof{}
}

// invited is a space whose code was mailed.
func (d *desk) invited(number, email string) (int64, proof) {
	d.t.Helper()
	request := d.invite(number, email)
	return request, d.mail(request)
}

// chosenCredentials stand in for hashes that take no time.
func chosenCredentials() (sql.Credentials, error) {
	return sql.Credentials{Password: "$password", Question: "animal", Answer: "$answer"}, nil
}

// form is a form that somebody with a code fills in.
func (d *desk) form(p proof, email conversion.Email) (sql.Submission, error) {
	found, err := d.FindCode(d.ctx, d.keys, p.email, p.code)
	if err != nil {
		return sql.Submission{}, err
	}
	s := sql.Submission{Request: found.RequestID, Generation: found.Generation, ID: uuid.NewString(), Email: email, Credentials: chosenCredentials}
	if found.Activates {
		s.Credentials = nil
	}
	return s, nil
}

// activate is what a subscriber does with a code for the address it proves.
func (d *desk) activate(p proof) error {
	s, err := d.form(p, p.email)
	if err != nil {
		return err
	}
	return d.switchBy(s)
}

func (d *desk) switchBy(s sql.Submission) error {
	facts := func(conversion.Space, conversion.TrustQuestion, time.Time) ([]byte, error) { return []byte(`{}`), nil }
	return patiently(func() error {
		return d.Activate(d.ctx, sql.Activation{Submission: s, Facts: facts, SessionHash: sha256.Sum256([]byte(s.ID))})
	})
}

// patiently asks again while somebody else is at work, as the pages do.
func patiently(f func() error) (err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if err = f(); !errors.Is(err, sql.ErrBusy) {
			return err
		}
	}
	return err
}

// choose is what a subscriber does who wants another address.
func (d *desk) choose(p proof, email string) (sql.Choice, error) {
	s, err := d.form(p, sqltest.Email(d.t, email))
	if err != nil {
		return sql.Choice{}, err
	}
	s.Credentials = chosenCredentials
	var choice sql.Choice
	err = patiently(func() (err error) {
		choice, err = d.ChooseAddress(d.ctx, s)
		return err
	})
	return choice, err
}

// opt is what the holder of the certificate does in the space.
func (d *desk) opt(number, email string) (sql.Choice, error) {
	d.t.Helper()
	var space int64
	var serial string
	d.must(d.Raw.QueryRow(`SELECT id, serial FROM space WHERE number = $1`, number).Scan(&space, &serial))
	o := sql.Option{Space: space, Serial: conversion.SerialNumber(serial), ID: uuid.NewString(),
		Email: sqltest.Email(d.t, email), Credentials: chosenCredentials, Keys: d.keys}
	var choice sql.Choice
	err := patiently(func() (err error) {
		choice, err = d.Opt(d.ctx, o)
		return err
	})
	return choice, err
}

// switched is a space that was switched.
func (d *desk) switched(number, email string) int64 {
	d.t.Helper()
	request, p := d.invited(number, email)
	d.must(d.activate(p))
	return request
}

// refused fails the test unless the code is refused.
func (d *desk) refused(p proof) {
	d.t.Helper()
	if _, err := d.FindCode(d.ctx, d.keys, p.email, p.code); !errors.Is(err, conversion.ErrCodeRefused) {
		d.t.Errorf("the code is not refused: %v", err)
	}
}

// accepted fails the test unless the code is good for the request.
func (d *desk) accepted(p proof, request int64) {
	d.t.Helper()
	found, err := d.FindCode(d.ctx, d.keys, p.email, p.code)
	if err != nil || found.RequestID != request {
		d.t.Errorf("the code gives request %d, error %v; want request %d", found.RequestID, err, request)
	}
}

// audit is what the audit log says of a request, as "event by actor".
func (d *desk) audit(request int64) string {
	d.t.Helper()
	return d.Text(d.t, `SELECT coalesce(string_agg(event || ' by ' || actor, ', ' ORDER BY id), '') FROM audit WHERE request_id = $1`, request)
}

// sound fails the test unless the invariants hold for every row.
func (d *desk) sound() { d.t.Helper(); d.Sound(d.t) }

// soundFor is the cheap part of sound, for one request.
func (d *desk) soundFor(request int64) { d.t.Helper(); d.SoundFor(d.t, request) }

// tallies fails the test unless status tells what a count of all rows tells.
func (d *desk) tallies(space int64) { d.t.Helper(); d.Tallies(d.t, space) }
