package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bascule/internal/devenv/devtest"
)

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// C1, C2, C4, C6, C8: the demonstration plays a campaign from its spreadsheet to its
// report: a pilot leaves, then the others, subscribers activate, and each of these gets
// a recap. Run again, it finds all done.
func TestDemoPlaysItself(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	dir := filepath.Join(t.TempDir(), "demo")
	left := func(pattern string) int { return len(filesOf(t, filepath.Join(dir, pattern))) }
	for run := range 2 {
		out := o.run("demo", "--auto", "--dir", dir, "--listen", "127.0.0.1:0")
		if run == 0 && !strings.Contains(out, "Paused (pilot) after 10 invitations, 41 are held.") {
			t.Errorf("no pilot:\n%s", out)
		}
		mails, recaps, reports := left("mails/*.eml"), left("recaps/*.pdf"), left("report.xlsx")
		// Each of 51 spaces gets a code by mail, and each that activates a recap.
		if recaps < 30 || mails < 51+recaps || reports != 1 || !strings.Contains(out, "51 invitations have left, 0 are held.") {
			t.Errorf("run %d: %d mails, %d recaps, %d reports:\n%s", run, mails, recaps, reports, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "environment")); err == nil {
		t.Error("a demonstration that is over has an environment")
	}
}

func filesOf(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// elsewhere is what somebody who works with PostgreSQL has in the environment. The
// demonstration, and who works on it, go to its own server all the same.
var elsewhere = []string{"PGPORT=1", "PGHOSTADDR=192.0.2.1", "PGSERVICE=nowhere", "PGCONNECT_TIMEOUT=5"}

// A training is a running demonstration, with the shell of the person who tries it.
type training struct {
	t       *testing.T
	o       *operator
	dir     string
	service *service
}

// train starts a demonstration on a sheet, or on the sample for "".
func train(t *testing.T, sheet string, env ...string) *training {
	t.Helper()
	tr := &training{t: t, o: newOperator(t), dir: filepath.Join(t.TempDir(), "essai de l'été")}
	args := []string{"demo", "--dir", tr.dir, "--listen", "127.0.0.1:0"}
	if sheet != "" {
		args = append(args, sheet)
	}
	tr.service = tr.o.start(append(env, elsewhere...), "Stop with Ctrl-C", args...)
	return tr
}

// shell runs a line as somebody types it who has asked for the environment.
func (tr *training) shell(line string) (string, error) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `set -e; env=$("$BASCULE" demo --env --dir "$DIR"); eval "$env"; `+line)
	cmd.Env = append(slices.Concat(tr.o.env, elsewhere), "BASCULE="+tr.o.bin, "DIR="+tr.dir)
	cmd.Dir = tr.t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (tr *training) must(line string) string {
	tr.t.Helper()
	out, err := tr.shell(line)
	if err != nil {
		tr.t.Errorf("%s: %v\n%s", line, err, out)
	}
	return out
}

// becomes waits until the output of a line contains a text.
func (tr *training) becomes(line, want string) {
	tr.t.Helper()
	err := poll(func() error {
		if out := tr.must(line); !strings.Contains(out, want) {
			return &exec.Error{Name: line, Err: os.ErrDeadlineExceeded}
		}
		return nil
	})
	if err != nil {
		tr.t.Errorf("%s never says %q", line, want)
	}
}

// D12: the demonstration begins with a held campaign. Each command that it prints runs
// in a shell with the environment, and so do all others.
func TestDemoIsATrainingGround(t *testing.T) {
	t.Parallel()
	tr := train(t, "")
	steps := regexp.MustCompile(`(?m)^  (bascule .+?) +# `).FindAllStringSubmatch(tr.service.output(), -1)
	if len(steps) < 8 {
		t.Fatalf("%d commands are printed:\n%s", len(steps), tr.service.output())
	}
	if mode := modeOf(t, filepath.Join(tr.dir, "environment")); mode != 0o600 {
		t.Errorf("the environment has %v, want 0600", mode)
	}
	if out := tr.must("bascule status --json"); !strings.Contains(out, `"mailed":0`) || !strings.Contains(out, `"held":51`) {
		t.Errorf("something has left: %s", out)
	}
	for _, step := range steps {
		tr.must(step[1])
		switch {
		case strings.Contains(step[1], " start "):
			tr.becomes("bascule campaign show certificats --json", `"state":"paused","why":"pilot"`)
		case strings.Contains(step[1], " resume "):
			tr.becomes("bascule campaign show certificats --json", `"mailed":51`)
		}
	}
	// A second campaign, by the other commands, and with other processes beside.
	for _, line := range []string{
		`bascule template new.xlsx`,
		`bascule import "$DIR/certificats.xlsx" --dry-run --json`,
		`bascule exclude 39512168 --reason "call 15" && bascule exclude 39512168 --lift --reason "call 16"`,
		`bascule correct 77708769 --email gaelle@exemple.example --reason "call 12"`,
		`bascule cancel 77708769 && bascule retry --yes`,
		`bascule migrate`,
		`bascule campaign`,
	} {
		tr.must(line)
	}
	for _, beside := range []string{"work", "serve"} {
		out := tr.must(`LISTEN_ADDR=127.0.0.1:0 bascule ` + beside + ` 2>said & pid=$!
			until grep -qE '"(working|listening)"' said; do kill -0 $pid; done; kill -INT $pid; wait $pid; cat said`)
		if strings.Contains(out, `"level":"ERROR"`) {
			t.Errorf("%s: %s", beside, out)
		}
	}
	tr.service.stop(os.Interrupt)
	if out, err := tr.shell("bascule status"); err == nil || !regexp.MustCompile(`^bascule: no demonstration runs in .*: start one with .bascule demo --dir '.*'. in another terminal\n$`).MatchString(out) {
		t.Errorf("it is over, and --env says %q", out)
	}
}

// A sheet of one's own: its mails stay in the inbox, whatever the addresses and the
// environment; and the campaign is started by a click, which no other site can do.
func TestDemoOfOnesOwnSheet(t *testing.T) {
	t.Parallel()
	relay := devtest.Inbox(t)
	sheet := filepath.Join(t.TempDir(), "ma liste.csv")
	if err := os.WriteFile(sheet, []byte("numéro d'abonné;titulaire;adresse électronique;numéro de série;date d'expiration\n"+
		"00123456;Anne Durand;anne@gmail.com;0A1B;31/12/2099\n00123457;Paul Noël;paul@orange.fr;0A1C;31/12/2099\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := train(t, sheet, "SMTP_URL="+relay.URL())
	defer tr.service.stop(os.Interrupt) // its PostgreSQL writes to the folder as long as it runs
	public := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(tr.service.output())
	if page := press(t, public, "", nil); !strings.Contains(page, "La campagne «\u00a0ma liste\u00a0» est préparée\u00a0: 0 invitation partie, 2 retenues.") {
		t.Errorf("the inbox shows %s", page)
	}
	for _, foreign := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://attaquant.example"}}} {
		if page := press(t, public, "start", foreign); strings.Contains(page, "lancée") {
			t.Errorf("a page of another site starts it: %s", page)
		}
	}
	for _, step := range []struct{ button, want string }{
		{"start", "est lancée"}, {"start", "est lancée"}, {"pause", "est en pause"}, {"resume", "est lancée"}, {"unknown", "est lancée"},
	} {
		if page := press(t, public, step.button, http.Header{"Origin": {public}}); !strings.Contains(page, step.want) {
			t.Errorf("%s: the inbox shows %s", step.button, page)
		}
	}
	tr.becomes("bascule campaign show 'ma liste' --json", `"mailed":2`)
	if n := len(filesOf(t, filepath.Join(escape(tr.dir), "mails", "*.eml"))); n != 2 || relay.Count() != 0 {
		t.Errorf("%d mails in the inbox of the demonstration, %d at the relay of the environment; want 2 and 0", n, relay.Count())
	}
}

// escape makes a path a pattern of itself.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `[`, `\[`, `*`, `\*`, `?`, `\?`).Replace(path)
}

// press asks for the inbox, and presses a button there first.
func press(t *testing.T, public, button string, header http.Header) string {
	t.Helper()
	method, form := http.MethodGet, ""
	if button != "" {
		method, form = http.MethodPost, url.Values{"button": {button}}.Encode()
	}
	req, err := http.NewRequestWithContext(within(t), method, public+"/inbox", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page bytes.Buffer
	if _, err := page.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// A file that import refuses is refused with the same words.
func TestDemoRefusesAWrongFile(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	sheet := filepath.Join(t.TempDir(), "wrong.xlsx")
	if err := os.WriteFile(sheet, sampleBook(30)[:900], 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "d")
	out, err := o.command(nil, "demo", sheet, "--dir", dir, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || string(out) != "bascule: the file is a damaged or cut-off workbook (its end is missing): fetch or save it again\n" {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something is made for a file that is refused")
	}
}
