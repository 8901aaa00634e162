package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// TestMain lets the test binary be bascule where it is called by that name, as
// services are.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "bascule" {
		main()
	}
	code := devtest.Run(m)
	if err := os.RemoveAll(build.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build is bascule as it is released, made by the first test that needs it.
// Commands are started hundreds of times, and each start takes three times the
// processor with the race detector: they are this build. Services, which do many
// things at a time, are the test binary and have the detector if it has.
var build struct {
	once sync.Once
	dir  string
	err  error
}

func buildBascule() error {
	build.once.Do(func() {
		if build.dir, build.err = os.MkdirTemp("", "bascule-build-"); build.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(build.dir, "bascule")).CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	return build.err
}

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// The stories of testdata, as an administrator lives them: each with a migrated
// database of its own, a Redis, a relay that is an inbox, and a complete
// environment. Beside testscript's own commands they have those of storyCommands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", Setup: newStory, Cmds: storyCommands, UpdateScripts: *update, RequireUniqueNames: true,
	})
}

// patience bounds every wait of a test, also where others use the machine.
const patience = 3 * time.Minute

// A story is what a script is about.
type story struct {
	t     testing.TB
	db    *sqltest.DB
	inbox *devenv.Inbox
	dns   *devtest.DNS
	dump  string // of the database, as `database remember` found it
}

// storyKey is the SECRET_KEY of the scripts.
var storyKey = base64.StdEncoding.EncodeToString([]byte("a key of 32 bytes for the tests."))

func newStory(env *testscript.Env) error {
	t := env.T().(testing.TB)
	s := &story{t: t, db: sqltest.Open(t), inbox: devtest.Inbox(t), dns: devtest.NewDNS(t)}
	env.Values[story{}] = s
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := installBascule(bin); err != nil {
		return err
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	application := sqltest.As(t, s.db.URL, sqltest.Application)
	for name, value := range map[string]string{
		"PATH":         bin + string(filepath.ListSeparator) + env.Getenv("PATH"),
		"DATABASE_URL": application, "OWNER": s.db.URL, "REDIS_URL": devtest.Redis(t).URL(), "SMTP_URL": s.inbox.URL(),
		"MAIL_FROM": "espace-abonne@bascule.example", "SECRET_KEY": storyKey,
		"LISTEN_ADDR": listen, "PUBLIC_URL": "http://" + listen, "DNS_SERVER": s.dns.Addr(),
		"MIGRATED": application, "KEY": storyKey, // what scripts set again
		"ACCOUNT": actor(),
	} {
		env.Setenv(name, value)
	}
	return nil
}

// installBascule makes bascule known by that name in a folder.
func installBascule(dir string) error {
	if err := buildBascule(); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(build.dir, "bascule"), filepath.Join(dir, "bascule"))
}

// freeAddress is a loopback address that nobody listens at.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// storyCommands are what scripts can do beside running bascule.
var storyCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"fails":    fails,
	"needs":    needs,
	"unsaid":   unsaid,
	"rejects":  rejects,
	"only":     only,
	"json":     lastLineIsJSON,
	"becomes":  awaitStatus,
	"stands":   awaitCampaign,
	"database": database,
	"clock":    moveClock,
	"mails":    awaitMails,
	"bounces":  refuseMail,
	"activate": activate,
	"answers":  awaitPages,
	"sheet":    printSheet,
	"cell":     setCell,
	"fill":     fillTemplate,
	"wrong":    writeWrongFile,
	"sample":   writeSample,
	"private":  isPrivate,
	"guide":    runGuide,
	"dns":      setRecords,
	"sees":     awaitWords,
	"decided":  decideAll,
	"said":     wasSaid,
}

func storyOf(ts *testscript.TestScript) *story { return ts.Value(story{}).(*story) }

// secret is what a script puts where bascule must not repeat it.
const secret = "hunter2"

// fails CODE ARGS...: bascule ends with CODE after one line on stderr, which
// tells no secret, and nothing on stdout.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("bascule", args[1:]...)
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) {
		ts.Fatalf("bascule ended with %v, want exit status %d", err, want)
	}
	checkFailure(ts, exit.ExitCode(), want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

// unsaid ARGS...: bascule does its work, fails as its answer cannot be written, and says so.
func unsaid(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("sh", append([]string{"-c", `exec bascule "$@" >/dev/full`, "sh"}, args...)...)
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		ts.Fatalf("bascule ended with %v, want exit status %d", err, exitFailed)
	}
	const said = "bascule: what the command did stands, but its answer cannot be written: "
	if line := ts.ReadFile("stderr"); !strings.HasPrefix(line, said) || strings.Index(line, "\n") != len(line)-1 {
		ts.Fatalf("bascule said %q", line)
	}
}

func checkFailure(ts *testscript.TestScript, code, want int, stdout, line string) {
	switch {
	case code != want:
		ts.Fatalf("bascule ended with %d, want exit status %d, and said %q", code, want, line)
	case !strings.HasPrefix(line, "bascule: ") || strings.Index(line, "\n") != len(line)-1:
		ts.Fatalf("stderr is not one line of bascule's")
	case strings.Contains(line, secret) || strings.Contains(line, storyKey):
		ts.Fatalf("stderr tells a secret")
	case stdout != "":
		ts.Fatalf("something is on stdout beside the error")
	}
}

// needs NAME ARGS...: without the variable, bascule fails and names it. Like rejects,
// it runs bascule within this process, which saves a start: file names must be
// absolute.
func needs(ts *testscript.TestScript, _ bool, args []string) {
	failsWith(ts, args[0], "", args[1:], args[0]+" is not set: ")
}

// rejects NAME VALUE ARGS...: with that value, bascule fails and names the variable.
func rejects(ts *testscript.TestScript, _ bool, args []string) {
	failsWith(ts, args[0], args[1], args[2:], args[0])
}

func failsWith(ts *testscript.TestScript, name, value string, args []string, says string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	getenv := func(asked string) string {
		if asked == name {
			return value
		}
		return ts.Getenv(asked)
	}
	var stdout, stderr strings.Builder
	code := run(ctx, args, getenv, strings.NewReader(""), &stdout, &stderr)
	fmt.Fprint(ts.Stderr(), stderr.String())
	checkFailure(ts, code, exitFailed, stdout.String(), stderr.String())
	if !strings.Contains(stderr.String(), says) {
		ts.Fatalf("stderr does not say %q", says)
	}
}

// only NAMES...: no other variable of bascule's is set from here on.
func only(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range []string{"DATABASE_URL", "REDIS_URL", "SMTP_URL", "MAIL_FROM", "PUBLIC_URL", "SECRET_KEY", "LISTEN_ADDR"} {
		if !slices.Contains(args, name) {
			ts.Setenv(name, "")
		}
	}
}

// json KEY=VALUE...: the last line on stdout is one JSON object that holds these.
func lastLineIsJSON(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(checkJSON(ts.ReadFile("stdout"), args))
}

func checkJSON(stdout string, want []string) error {
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
		return fmt.Errorf("the last line is no JSON object: %w", err)
	}
	for _, pair := range want {
		key, value, _ := strings.Cut(pair, "=")
		if got := string(object[key]); got != value {
			return fmt.Errorf("%s is %s, want %s", key, got, value)
		}
	}
	return nil
}

// becomes KEY=VALUE...: waits until the status is so.
func awaitStatus(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(poll(func() error {
		ts.Check(ts.Exec("bascule", "status", "--json"))
		return checkJSON(ts.ReadFile("stdout"), args)
	}))
}

// stands NAME KEY=VALUE...: waits until the campaign is so.
func awaitCampaign(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(poll(func() error {
		ts.Check(ts.Exec("bascule", "campaign", "show", args[0], "--json"))
		return checkJSON(ts.ReadFile("stdout"), args[1:])
	}))
}

// poll calls f until it has no complaint. Most ask a command, which takes a tenth of a
// second.
func poll(f func() error) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return err
		}
	}
}

// database new|remember|unchanged: an empty one, not migrated; or whether
// anything was stored in the meantime.
func database(ts *testscript.TestScript, _ bool, args []string) {
	s := storyOf(ts)
	switch args[0] {
	case "new":
		ts.Setenv("DATABASE_URL", devtest.Postgres(s.t))
	case "remember":
		s.dump = s.db.Dump(s.t)
	case "unchanged":
		if s.db.Dump(s.t) != s.dump {
			ts.Fatalf("the database has changed")
		}
	default:
		ts.Fatalf("database new|remember|unchanged")
	}
}

// clock DURATION: the database's clock is so far from the real one.
func moveClock(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	storyOf(ts).db.Shift(storyOf(ts).t, d)
}

// mails N: waits until the relay has taken N mails, and no more.
func awaitMails(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	inbox := storyOf(ts).inbox
	_, err = inbox.Wait(ctx, func(m devenv.Message) bool { return m.ID == want })
	ts.Check(err)
	if n := inbox.Count(); n != want {
		ts.Fatalf("%d mails, want %d", n, want)
	}
}

// said ADDRESS WORDS: a mail to the address says the words. ! said: none does.
func wasSaid(ts *testscript.TestScript, neg bool, args []string) {
	found := slices.ContainsFunc(storyOf(ts).inbox.Messages(), func(m devenv.Message) bool {
		mail, err := m.Parse()
		ts.Check(err)
		return slices.Contains(m.Recipients, args[0]) && strings.Contains(mail.Text, args[1])
	})
	if found == neg {
		ts.Fatalf("the words were said to %s: %v", args[0], found)
	}
}

// bounces ADDRESS: from here on the relay refuses this recipient for good.
func refuseMail(ts *testscript.TestScript, _ bool, args []string) {
	storyOf(ts).inbox.SetReject(func(recipient string) error {
		if recipient == args[0] {
			return devenv.Refusal(550, [3]int{5, 1, 1}, "no such mailbox")
		}
		return nil
	})
}

// answers: waits until the pages of `serve` are there.
func awaitPages(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(awaitURL(ts.Getenv("PUBLIC_URL") + "/readyz"))
}

// awaitURL asks until the answer is 200.
func awaitURL(url string) error {
	return poll(func() error {
		res, err := http.Get(url)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return errors.New(res.Status)
		}
		return nil
	})
}

// dns NAME RECORD...: the TXT records that the DNS of the story has of a name.
func setRecords(ts *testscript.TestScript, _ bool, args []string) {
	storyOf(ts).dns.Set(args[0], args[1:]...)
}

// sees REGEXP ARGS...: waits until bascule says so, however it ends.
func awaitWords(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	ts.Check(poll(func() error {
		ts.Exec("bascule", args[1:]...) // it fails as long as it is red
		if out := ts.ReadFile("stdout"); !want.MatchString(out) {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	}))
}

// decided: the operator has decided all that campaign check asks for: whose the texts
// are, and what DNS says of the sender.
func decideAll(ts *testscript.TestScript, _ bool, _ []string) {
	legal := ts.MkAbs("legal")
	ts.Check(os.MkdirAll(legal, 0o700))
	for _, name := range web.LegalFiles {
		ts.Check(os.WriteFile(filepath.Join(legal, name), []byte("Direction des exemples\n"), 0o600))
	}
	help := ts.MkAbs("help.txt")
	ts.Check(os.WriteFile(help, []byte("Assistance au 0809 401 401\n"), 0o600))
	ts.Setenv("ADMINISTRATION", "Direction des exemples; DDE")
	ts.Setenv("HELP_TEXT_FILE", help)
	ts.Setenv("LEGAL_DIR", legal)
	dns := storyOf(ts).dns
	dns.Set("bascule.example", "v=spf1 ip4:192.0.2.1 -all")
	dns.Set("_dmarc.bascule.example", "v=DMARC1; p=quarantine")
}

// private FILE: its owner alone may read it.
func isPrivate(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode().Perm() != 0o600 {
		ts.Fatalf("%s has %v, want 0600", args[0], info.Mode().Perm())
	}
}

// activate ADDRESS: the subscriber uses the code of the newest mail to it.
// ! activate: the code is refused.
func activate(ts *testscript.TestScript, neg bool, args []string) {
	s := storyOf(ts)
	var l devenv.Letter
	for _, m := range s.inbox.Messages() {
		if found, ok := devenv.ReadLetter(m); ok && found.Email == args[0] {
			l = found
		}
	}
	if l.Code == "" {
		ts.Fatalf("no code was mailed to %s", args[0])
	}
	public, err := url.Parse(ts.Getenv("PUBLIC_URL"))
	ts.Check(err)
	v := devenv.Visitor{HTTP: &http.Client{}, Public: public}
	_, status, err := v.Activate(context.Background(), l.Identifiers("", l.Email))
	ts.Check(err)
	if want := map[bool]int{false: http.StatusOK, true: http.StatusUnprocessableEntity}[neg]; status != want {
		ts.Fatalf("the page answered %d, want %d", status, want)
	}
}
