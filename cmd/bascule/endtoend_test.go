package main

import (
	"bytes"
	stdsql "database/sql"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/xuri/excelize/v2"

	"bascule/importer/sample"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/terminal"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// rows is the length of the end-to-end test's list. A third of it activates. Each
// activation computes two Argon2id hashes: some 60 ms of a core, and several times that
// with the race detector. So the gate has a short list. A change of the flow deserves a
// long one: go test ./cmd/bascule -run EndToEnd -rows 10000.
var rows = flag.Int("rows", 300, "rows of the end-to-end test's list")

// codeLifetime is how long codes work in the end-to-end test.
const codeLifetime = time.Hour

// C1–C8, I1, I2: a list is imported, and three workers mail it side by side. A third of
// it activates through the pages. The rest expires once CODE_LIFETIME is over. All of
// them are processes of their own. Every count agrees: the import's, the status', the
// report's and that of the mails received.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.migrate()
	serve := w.start(nil, `"listening"`, "serve")
	w.awaitAll()
	workers := make([]*service, len(w.inboxes))
	for i, inbox := range w.inboxes {
		workers[i] = w.start([]string{"SMTP_URL=" + inbox.URL(), "CODE_LIFETIME=" + codeLifetime.String()}, `"working"`, "work")
	}

	imported := ask[sql.ImportResult](w.operator, "import", w.list, "--start")
	if sum := imported.Accepted + imported.Unchanged + imported.NotDue + imported.Excluded + imported.Rejected; sum != *rows || imported.Rows != *rows {
		t.Fatalf("%+v do not add up to %d rows", imported, *rows)
	}
	letters := w.letters(imported.Accepted)
	w.activateAll(letters[:imported.Accepted/3])
	activated, left := imported.Accepted/3, imported.Accepted-imported.Accepted/3
	want := terminal.Status{Counts: sql.Counts{Activated: activated, Mailed: left,
		Spaces: map[conversion.Access]int{conversion.AccessPassword: activated, conversion.AccessCertificate: left}},
		Paused: []sql.PausedCampaign{}, WaitsForKeys: []conversion.KeyID{}}
	w.awaitStatus(want)
	// The codes are over by the next day, on which an address may get more mails (D16).
	(&sqltest.DB{Raw: w.db}).Shift(t, 24*time.Hour)
	want.Mailed, want.Expired = 0, left
	w.awaitMails(imported.Accepted + activated + left) // a status counts overdue requests as expired before the sweep has come by
	w.awaitStatus(want)

	w.checkMails(imported.Accepted, activated)
	w.checkReport(want, imported)
	for _, worker := range workers {
		worker.stop(syscall.SIGTERM)
	}
	serve.stop(syscall.SIGTERM)
	w.checkNothingClaimed()
	w.importAgain(imported)
}

// A world is what the processes run in.
type world struct {
	*operator
	db      *stdsql.DB
	public  *url.URL
	inboxes []*devenv.Inbox // one for each worker, to tell who sent what
	list    string
	owner   string // the DATABASE_URL of the role that migrates
}

// migrate makes the tables, and gives the others' role its rights.
func (w *world) migrate() {
	w.t.Helper()
	cmd := w.command([]string{"DATABASE_URL=" + w.owner}, "migrate", "--grant", sqltest.Application)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("migrate: %v\n%s", err, out)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	// A cluster of its own: the scripts, which run at the same time, have theirs.
	postgres := devtest.OwnPostgres(t)
	db, err := stdsql.Open("postgres", postgres.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	listen, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, public: &url.URL{Scheme: "http", Host: listen}}
	for range 3 {
		inbox := devtest.Inbox(t)
		inbox.SetLimit(1 << 30)
		w.inboxes = append(w.inboxes, inbox)
	}
	if err := sqltest.CreateRole(postgres.URL("postgres"), sqltest.Application); err != nil {
		t.Fatal(err)
	}
	w.owner = postgres.URL("postgres")
	w.operator = newOperator(t, "DATABASE_URL="+sqltest.As(t, w.owner, sqltest.Application), "REDIS_URL="+devtest.Redis(t).URL(), "SECRET_KEY="+storyKey,
		"LISTEN_ADDR="+listen, "PUBLIC_URL="+w.public.String(), "MAIL_FROM=espace-abonne@bascule.example", "WORKERS=4")
	w.list = w.sample("list.xlsx", sample.Write)
	return w
}

func (w *world) sample(name string, write func(io.Writer, int, int64) error) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if err := write(f, *rows, 1); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// awaitAll makes the relay take no mail before each worker has offered one: the first
// worker cannot send them all.
func (w *world) awaitAll() {
	offered, others := make(chan struct{}), len(w.inboxes)
	var mu sync.Mutex
	for _, inbox := range w.inboxes {
		first := sync.OnceFunc(func() {
			mu.Lock()
			defer mu.Unlock()
			if others--; others == 0 {
				close(offered)
			}
		})
		inbox.SetReject(func(string) error {
			first()
			select {
			case <-offered:
			case <-w.t.Context().Done():
			}
			return nil
		})
	}
}

// letters waits for the code mails of n spaces and returns one for each address,
// so that no two subscribers want the same one.
func (w *world) letters(n int) []devenv.Letter {
	w.t.Helper()
	ctx := within(w.t)
	got := make(chan devenv.Message, n)
	for _, inbox := range w.inboxes {
		go inbox.Wait(ctx, func(m devenv.Message) bool { got <- m; return false })
	}
	var letters []devenv.Letter
	known := make(map[string]bool)
	for range n {
		select {
		case m := <-got:
			l := devenv.Letter{Email: m.Recipients[0], Code: devenv.CodeIn([]byte(m.Raw))}
			if !known[l.Email] {
				known[l.Email] = true
				letters = append(letters, l)
			}
		case <-ctx.Done():
			w.t.Fatalf("of %d code mails only %d addresses' have come", n, len(letters))
		}
	}
	return letters
}

// clients is how many subscribers are at the pages at a time: more than there
// are cores to hash their passwords.
const clients = 4

// activateAll plays the subscribers, by forms without script.
func (w *world) activateAll(letters []devenv.Letter) {
	w.t.Helper()
	queue := make(chan devenv.Letter)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			browser := devenv.Visitor{HTTP: &http.Client{}, Public: w.public}
			for l := range queue {
				if err := w.activate(browser, l); err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	for _, l := range letters {
		queue <- l
	}
	close(queue)
	group.Wait()
}

func (w *world) activate(v devenv.Visitor, l devenv.Letter) error {
	page, status, err := v.Insist(w.t.Context(), l.Form())
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("the code of %s: %d %w", l.Email, status, err)
	}
	page, status, err = v.Insist(w.t.Context(), l.Identifiers(devenv.Field(page, "submission"), l.Email))
	if err != nil || status != http.StatusOK || !strings.Contains(page, "transformé en espace sans certificat") {
		return fmt.Errorf("the identifiers of %s: %d %w", l.Email, status, err)
	}
	return nil
}

// awaitStatus waits until the status is as wanted and nothing is left to do.
func (w *world) awaitStatus(want terminal.Status) {
	w.t.Helper()
	var differs string
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		got := ask[terminal.Status](w.operator, "status")
		got.MailsPerSecond, got.SecondsLeft, got.QueueDepth = 0, nil, nil
		if differs = cmp.Diff(want, got, cmpopts.IgnoreUnexported(terminal.Status{})); differs == "" {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			w.t.Fatalf("the status after %v (- want, + got):\n%s", patience, differs)
		}
	}
}

// awaitMails waits until so many mails have come, whichever they are.
func (w *world) awaitMails(want int) {
	w.t.Helper()
	err := poll(func() error {
		come := 0
		for _, inbox := range w.inboxes {
			come += inbox.Count()
		}
		if come < want {
			return fmt.Errorf("%d of %d mails have come", come, want)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A received mail, as far as this test reads it.
type received struct {
	kind   string // code or confirmation
	number string
	to     string
	inbox  int
	id     string
	files  []devenv.Attachment
}

var (
	kindInID        = regexp.MustCompile(`^<(\w+)\.`)
	numberInSubject = regexp.MustCompile(`^Espace abonné (\w+)`)
)

func (w *world) received() (mails []received) {
	w.t.Helper()
	for i, inbox := range w.inboxes {
		for _, m := range inbox.Messages() {
			parsed, err := m.Parse()
			if err != nil {
				w.t.Fatal(err)
			}
			subject, id := parsed.Header.Get("Subject"), parsed.Header.Get("Message-ID")
			kind, number := kindInID.FindStringSubmatch(id), numberInSubject.FindStringSubmatch(subject)
			if kind == nil || number == nil || len(m.Recipients) != 1 {
				w.t.Fatalf("a mail %s about %q to %q", id, subject, m.Recipients)
			}
			mails = append(mails, received{kind: kind[1], number: number[1], to: m.Recipients[0], inbox: i, id: id, files: parsed.Attachments})
		}
	}
	return mails
}

// checkMails requires one code mail for each space, with some from each worker. It also
// requires one confirmation for each activation and one mail for each expired code.
// There is no other mail, and none twice.
func (w *world) checkMails(spaces, activated int) {
	w.t.Helper()
	count := make(map[string]int)
	shares := make([]int, len(w.inboxes))
	var confirmations []received
	for _, m := range w.received() {
		count["kind "+m.kind]++
		count["Message-ID "+m.id]++
		count[m.kind+" for "+m.number]++
		switch m.kind {
		case "code":
			shares[m.inbox]++
		case "confirmation":
			confirmations = append(confirmations, m)
		}
	}
	for what, n := range count {
		if !strings.HasPrefix(what, "kind ") && n != 1 {
			w.t.Errorf("%d mails: %s", n, what)
		}
	}
	want := map[string]int{"kind code": spaces, "kind confirmation": activated, "kind expired": spaces - activated}
	total := 0
	for kind, n := range want {
		total += n
		if count[kind] != n {
			w.t.Errorf("%s: %d mails, want %d", kind, count[kind], n)
		}
	}
	if len(count) != len(want)+2*total {
		w.t.Errorf("%d things are told of mails, want %d: some mail is of another kind, or one of two", len(count), len(want)+2*total)
	}
	w.t.Logf("the workers sent %d code mails", shares)
	for i, n := range shares {
		if n == 0 {
			w.t.Errorf("worker %d sent none of %d code mails", i+1, spaces)
		}
	}
	for i, m := range confirmations {
		if recap := w.recap(m); i%max(1, len(confirmations)/25) == 0 {
			checkRecap(w.t, recap, m.number)
		}
	}
}

// recap is the document that a confirmation carries, and nothing else does.
func (w *world) recap(m received) []byte {
	w.t.Helper()
	if len(m.files) != 1 || m.files[0].Type != "application/pdf" {
		w.t.Fatalf("the confirmation for %s carries %d files, want one document", m.number, len(m.files))
	}
	return m.files[0].Content
}

// checkRecap requires a sound document in which the number can be read (I7).
func checkRecap(t testing.TB, document []byte, number string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recap.pdf")
	if err := os.WriteFile(path, document, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("qpdf", "--check", path).CombinedOutput(); err != nil {
		t.Errorf("qpdf of the recap of %s: %v\n%s", number, err, out)
	}
	text, err := exec.Command("pdftotext", "-layout", path, "-").Output()
	if err != nil || !bytes.Contains(text, []byte(number)) {
		t.Errorf("the recap of %s does not tell the number: %v\n%s", number, err, text)
	}
}

// checkReport wants the report to tell what the status tells, on its summary and
// in its rows.
func (w *world) checkReport(want terminal.Status, imported sql.ImportResult) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "report.xlsx")
	w.run("report", path)
	got := readReport(w.t, path)
	expect := reportCounts{
		rows:    map[string]int{"activée": want.Activated, "expirée": want.Expired},
		summary: map[string]string{"activée": fmt.Sprint(want.Activated), "expirée": fmt.Sprint(want.Expired), "Demandes": fmt.Sprint(imported.Accepted)},
		spaces:  imported.Accepted, rejected: imported.Rejected,
		tiles: []string{fmt.Sprint(imported.Accepted), fmt.Sprint(imported.Accepted), fmt.Sprint(want.Activated), got.tiles[3], fmt.Sprint(imported.Rejected)},
	}
	for state, n := range got.summary {
		if n == "0" {
			delete(got.summary, state)
		}
	}
	if diff := cmp.Diff(expect, got, cmp.AllowUnexported(reportCounts{})); diff != "" {
		w.t.Errorf("the report (- want, + got):\n%s", diff)
	}
}

// reportCounts is what a report tells.
type reportCounts struct {
	rows     map[string]int    // by state, in French
	summary  map[string]string // the table by state
	spaces   int               // distinct numbers among the rows
	rejected int
	tiles    []string // spaces, invited, switched, which part, and rows that are still rejected
}

func readReport(t testing.TB, path string) reportCounts {
	t.Helper()
	book, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	sheet := func(name string) [][]string {
		rows, err := book.GetRows(name, excelize.Options{RawCellValue: true})
		if err != nil || len(rows) == 0 {
			t.Fatalf("sheet %s: %v", name, err)
		}
		return rows
	}
	c := reportCounts{rows: make(map[string]int), summary: make(map[string]string), rejected: len(sheet("Lignes refusées")) - 2}
	numbers := make(map[string]bool)
	for _, row := range sheet("Demandes")[2:] {
		numbers[row[0]] = true
		c.rows[row[4]]++
	}
	c.spaces = len(numbers)
	summary := sheet("Synthèse")
	isHead := func(row []string) bool { return len(row) > 0 && strings.HasSuffix(row[0], "demandes par état") }
	for _, row := range summary[slices.IndexFunc(summary, isHead)+1:] {
		c.summary[row[0]] = row[1]
	}
	c.tiles = summary[6]
	return c
}

// checkNothingClaimed wants every obligation done or given back.
func (w *world) checkNothingClaimed() {
	w.t.Helper()
	var claimed, left int
	err := w.db.QueryRow(`SELECT count(claim), count(*) FROM obligation WHERE claim IS NOT NULL OR true`).Scan(&claimed, &left)
	if err != nil || claimed != 0 || left != 0 {
		w.t.Errorf("%d obligations are still claimed, %d still to do: %v", claimed, left, err)
	}
}

// importAgain hands the same contents in once more, as the same file, as CSV, and
// with rows and columns in another order: nothing changes (D9).
func (w *world) importAgain(first sql.ImportResult) {
	w.t.Helper()
	before := w.contents()
	for _, file := range []string{w.list, w.sample("list.csv", sample.WriteCSV), w.sample("reversed.csv", writeReversed)} {
		again := ask[sql.ImportResult](w.operator, "import", file, "--start")
		want := sql.ImportResult{Batch: again.Batch, Campaign: first.Campaign, State: sql.CampaignRunning, Rows: first.Rows, Unchanged: first.Accepted + first.Unchanged, Rejected: first.Rejected}
		if again != want {
			w.t.Errorf("%s again: %+v, want %+v", filepath.Base(file), again, want)
		}
		if w.contents() != before {
			w.t.Errorf("%s again has changed the database", filepath.Base(file))
		}
	}
}

// writeReversed writes the sample with its rows and its columns from last to first.
func writeReversed(out io.Writer, rows int, seed int64) error {
	var b bytes.Buffer
	if err := sample.WriteCSV(&b, rows, seed); err != nil {
		return err
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b.Bytes(), []byte("\ufeff"))))
	r.Comma = ';'
	records, err := r.ReadAll()
	if err != nil {
		return err
	}
	slices.Reverse(records[1:])
	for _, record := range records {
		slices.Reverse(record)
	}
	w := csv.NewWriter(out)
	w.Comma = ';'
	return w.WriteAll(records)
}

// contents is a digest of every space, request, code, obligation and transition.
func (w *world) contents() (digest string) {
	w.t.Helper()
	for _, table := range []string{"space", "request", "code", "obligation", "audit"} {
		var sum string
		err := w.db.QueryRow(`SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM ` + table + ` AS t`).Scan(&sum)
		if err != nil {
			w.t.Fatal(err)
		}
		digest += sum
	}
	return digest
}
