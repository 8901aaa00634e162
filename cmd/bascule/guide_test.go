package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// guidePath is the administrator's guide.
var guidePath = filepath.Join("..", "..", "docs", "guide-administrateur.md")

// guideLock lets one story at a time rewrite the guide: stories run beside each other.
var guideLock sync.Mutex

// A guideSection is what stands below one heading, without the headings below it.
type guideSection struct {
	heading string
	blocks  []guideBlock
}

// A guideBlock is fenced lines. A console block tells what commands print, too.
type guideBlock struct {
	language, text string
}

var guideFence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// readGuide cuts the guide into its sections.
func readGuide(text string) (sections []guideSection) {
	heading := regexp.MustCompile(`(?m)^#{2,} (.+)$`)
	outside := guideFence.ReplaceAllStringFunc(text, func(block string) string { // a comment is no heading
		return strings.ReplaceAll(block, "#", " ")
	})
	at := heading.FindAllStringSubmatchIndex(outside, -1)
	for i, h := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		s := guideSection{heading: text[h[2]:h[3]]}
		for _, b := range guideFence.FindAllStringSubmatch(text[h[1]:end], -1) {
			s.blocks = append(s.blocks, guideBlock{b[1], b[2]})
		}
		if s.blocks != nil {
			sections = append(sections, s)
		}
	}
	return sections
}

// guide HEADING: runs the commands of that section of the guide, line by line, in the
// shell. The guide shows the output that they print.
func runGuide(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(guidePath)
	ts.Check(err)
	sections := readGuide(string(text))
	i := slices.IndexFunc(sections, func(s guideSection) bool { return s.heading == args[0] })
	if i < 0 {
		ts.Fatalf("the guide has no commands below %q", args[0])
	}
	for _, b := range sections[i].blocks {
		switch b.language {
		case "sh":
			runGuideBlock(ts, b.text)
		case "console":
			compareConsole(ts, b.text)
		default:
			ts.Fatalf("a block of %q is neither sh nor console", args[0])
		}
	}
}

// runGuideBlock runs each line in a shell of its own, in which the lines before that
// change a shell are run again.
func runGuideBlock(ts *testscript.TestScript, block string) {
	before := ""
	for line := range strings.Lines(block) {
		if strings.HasPrefix(line, "eval ") || strings.HasPrefix(line, "cd ") {
			before += line
			continue
		}
		runGuideLine(ts, before+line)
	}
}

// compareConsole runs the lines behind "$ ", and compares what they print with what
// follows them in the guide.
func compareConsole(ts *testscript.TestScript, shown string) {
	var now strings.Builder
	for line := range strings.Lines(shown) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			now.WriteString(line + runGuideLine(ts, command))
		}
	}
	switch {
	case now.String() == shown:
	case *update:
		ts.Check(rewriteGuide(shown, now.String()))
	default:
		ts.Fatalf("the guide shows:\n%sand this is printed:\n%s", shown, now.String())
	}
}

func rewriteGuide(from, to string) error {
	guideLock.Lock()
	defer guideLock.Unlock()
	text, err := os.ReadFile(guidePath)
	if err != nil {
		return err
	}
	const fence = "```console\n"
	return os.WriteFile(guidePath, bytes.Replace(text, []byte(fence+from), []byte(fence+to), 1), 0o644)
}

// runGuideLine runs one line until it succeeds: a mail that a command needs may still
// be under way. A wrong usage fails at once.
func runGuideLine(ts *testscript.TestScript, line string) (stdout string) {
	ts.Logf("guide> %s", line)
	ts.Check(poll(func() error {
		var stderr string
		var err error
		stdout, stderr, err = inShell(ts, line)
		exit := new(exec.ExitError)
		if errors.As(err, &exit) && exit.ExitCode() != exitFailed {
			ts.Fatalf("exit status %d: %s", exit.ExitCode(), stderr)
		}
		if err != nil {
			return fmt.Errorf("%s%w: %s", line, err, stderr)
		}
		return nil
	}))
	return stdout
}

// inShell runs a line in the folder and the environment of the script. A command
// without an end is stopped once it has shown something.
func inShell(ts *testscript.TestScript, line string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = ts.MkAbs("."), guideEnvironment(ts)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if strings.Contains(line, "--watch") {
		cmd.Stdout = writerFunc(func(b []byte) (int, error) {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // the shell and its child
			return out.Write(b)
		})
	}
	err = cmd.Run()
	if cmd.Stdout != io.Writer(&out) && out.Len() > 0 {
		err = nil // it was told to end
	}
	return out.String(), told.String(), err
}

// guideEnvironment is that of the script.
func guideEnvironment(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{"PATH", "HOME", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "MAIL_FROM", "PUBLIC_URL", "SECRET_KEY", "LISTEN_ADDR",
		"ADMINISTRATION", "HELP_TEXT_FILE", "LEGAL_DIR", "DNS_SERVER"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Each section of the guide that has commands is run by one story.
func TestGuideIsRun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	stories, err := filepath.Glob(filepath.Join("testdata", "guide_*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]int{}
	for _, name := range stories {
		story, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range regexp.MustCompile(`(?m)^guide '(.+)'$`).FindAllStringSubmatch(string(story), -1) {
			runs[run[1]]++
		}
	}
	sections := readGuide(string(text))
	if len(sections) < 10 {
		t.Errorf("the guide has commands in %d sections alone", len(sections))
	}
	for _, s := range sections {
		if runs[s.heading] != 1 {
			t.Errorf("the section %q is run by %d stories, want one", s.heading, runs[s.heading])
		}
	}
}
