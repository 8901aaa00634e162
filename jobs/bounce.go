package jobs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bascule/internal/bounce"
	"bascule/internal/conversion"
	"bascule/sql"
)

// Bouncer reads the mails that came back (D11). The mail server drops them in a folder,
// plain, Maildir or mbox. A file that was read moves to its subfolder "processed". Any
// number of bouncers may read the same folder.
type Bouncer struct {
	DB   *sql.DB
	Keys *conversion.Keyring
	Dir  string
	Now  func() time.Time // of the files' times
	Log  *slog.Logger
}

const (
	// bounceEvery is how often the folder is looked at.
	bounceEvery = 5 * time.Second
	// bounceAge is how old a mail must be. In a plain folder the mail server may still
	// write a younger one.
	bounceAge = 5 * time.Second
	// processedDir is the subfolder for mails that were read.
	processedDir = "processed"
)

// Run looks at the folder until ctx ends.
func (b *Bouncer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := b.Look(ctx); err != nil && ctx.Err() == nil {
			b.Log.Error("cannot read bounces; they stay where they are", "err", err)
		}
		pause(ctx, bounceEvery, nil)
	}
}

// Look reads every mail that is there now. A mail that cannot be read stays, and the
// others are read all the same. The error is the first one, and tells how many more there
// are: a read-only folder may hold a hundred thousand mails.
func (b *Bouncer) Look(ctx context.Context) error {
	if err := os.Mkdir(filepath.Join(b.Dir, processedDir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("read bounces: %w", err)
	}
	var failed error
	more := 0
	for _, dir := range []string{b.Dir, filepath.Join(b.Dir, "new"), filepath.Join(b.Dir, "cur")} {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read bounces: %w", err)
		}
		for _, e := range entries {
			if ctx.Err() != nil || !b.finished(e) {
				continue
			}
			if err := b.read(ctx, filepath.Join(dir, e.Name())); err != nil && failed == nil {
				failed = err
			} else if err != nil {
				more++
			}
		}
	}
	if more > 0 {
		failed = fmt.Errorf("%w (and %d more)", failed, more)
	}
	return failed
}

// finished tells whether an entry is a complete mail.
func (b *Bouncer) finished(e fs.DirEntry) bool {
	if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
		return false
	}
	info, err := e.Info()
	return err == nil && b.Now().Sub(info.ModTime()) >= bounceAge
}

// read records the mails of one file and puts it aside. If another worker has put it
// aside meanwhile, that worker has recorded them.
func (b *Bouncer) read(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a bounce: %w", err)
	}
	defer f.Close()
	if err := eachMail(f, func(raw []byte) error { return b.record(ctx, raw) }); err != nil {
		return fmt.Errorf("read a bounce: %w", err)
	}
	err = os.Rename(path, filepath.Join(b.Dir, processedDir, filepath.Base(path)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put a bounce aside: %w", err)
	}
	return nil
}

// mboxLine begins each mail of an mbox. The hour tells it from a sentence.
var mboxLine = regexp.MustCompile(`^From \S+ .*\d\d:\d\d`)

// eachMail does something with the start of the one mail of a file, or of each mail of an
// mbox.
func eachMail(file io.Reader, do func(raw []byte) error) error {
	lines := bufio.NewReader(file)
	first, _ := lines.Peek(256)
	mbox, blank := mboxLine.Match(first), false // blank: so is the line before
	var raw []byte
	for {
		line, err := lines.ReadSlice('\n') // a part of a very long one
		if mbox && blank && mboxLine.Match(line) {
			if err := do(raw); err != nil {
				return err
			}
			raw = nil
		}
		blank = len(bytes.TrimSpace(line)) == 0
		raw = append(raw, line[:min(len(line), bounce.MaxMail-len(raw))]...)
		if err == io.EOF || !mbox && len(raw) == bounce.MaxMail {
			return do(raw)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
}

// record records the bounce that a mail tells of.
func (b *Bouncer) record(ctx context.Context, raw []byte) error {
	report := bounce.Read(raw)
	request, generation, ok, err := b.signed(ctx, report)
	if err != nil {
		return err
	}
	if !ok {
		b.Log.Info("a mail came back that is not one of ours, or tells of no failure", "class", report.Class)
		return nil
	}
	news, err := b.DB.Bounced(ctx, request, generation, report.Class)
	if news {
		b.Log.Info("a mail bounced", "request", request, "class", report.Class)
	}
	return err
}

// wordMark is in the return path of the word that a code is over. Of that mail only a
// complaint counts: what becomes of it tells nothing of the mail with the code.
const wordMark = "w"

// signedPath matches our return path:
// anything+request.generation.fingerprint.signature@anywhere. Its numbers are not too large.
var signedPath = regexp.MustCompile(`\+((\d{1,18})\.(\d{1,9})(` + wordMark + `?)\.([0-9a-f]{8}))\.([0-9a-z]{10})@`)

// signed finds our signed return path where a bounce names its own recipient. A path
// elsewhere in the mail proves nothing. Nor does one of a mail that this database does not
// know: a restore has forgotten it, and its request's number may be somebody else's now.
func (b *Bouncer) signed(ctx context.Context, r bounce.Report) (request int64, generation int, ok bool, err error) {
	if r.Class == "" {
		return 0, 0, false, nil
	}
	for _, path := range r.Paths {
		for _, match := range signedPath.FindAllStringSubmatch(strings.ToLower(path), -1) {
			if !b.Keys.VerifyPath(match[1], match[6]) || match[4] != "" && r.Class != conversion.BounceComplaint {
				continue
			}
			request, _ = strconv.ParseInt(match[2], 10, 64) // cannot fail: digits, and few
			generation, _ = strconv.Atoi(match[3])
			nonce, err := b.DB.CodeNonce(ctx, request, generation)
			return request, generation, nonce != nil && fingerprint(nonce) == match[5], err
		}
	}
	return 0, 0, false, nil
}
