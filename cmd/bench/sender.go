package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// A sender hands the same mail over many times, with kept sessions. It does nothing
// else.
type sender struct {
	name string
	path string // of smtp-source; "" for our own
}

// sender is Postfix's smtp-source, if this machine has it.
func (b *bench) sender() sender {
	for _, path := range []string{b.smtpSource, "smtp-source", "/usr/sbin/smtp-source"} {
		if found, err := exec.LookPath(path); err == nil {
			return sender{"by smtp-source", found}
		}
	}
	return sender{"by a bare sender", ""}
}

// The numbers of sessions to try, and how much a sender sends.
var sessions = []int{8, 32}

const (
	minSent = 100
	maxSent = 100_000
)

// sendAlone is the best rate at which the sink takes a mail of the product.
func (b *bench) sendAlone(ctx context.Context) (best float64, err error) {
	mail, err := b.sink.sample(ctx)
	if err != nil {
		return 0, err
	}
	n := min(max(b.rows, minSent), maxSent)
	for _, k := range sessions {
		if err := b.sink.reset(ctx, faults{}); err != nil {
			return 0, err
		}
		if err := b.sender().send(ctx, b, mail, n, k); err != nil {
			return 0, err
		}
		t, err := b.sink.tally(ctx)
		if err != nil {
			return 0, err
		}
		best = max(best, t.rate())
	}
	return best, nil
}

func (s sender) send(ctx context.Context, b *bench, mail []byte, n, sessions int) error {
	if s.path == "" {
		return sendBare(ctx, b.sink.at.SMTP, mail, n, sessions)
	}
	path := filepath.Join(b.dir, "mail.eml")
	// smtp-source ends lines itself, and doubles dots.
	text := bytes.ReplaceAll(bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n")), []byte("\n.."), []byte("\n."))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	cmd := exec.Command(s.path, "-d", "-F", path, "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(n),
		"-f", "espace-abonne@bascule.example", "-t", "personne@reference.example", b.sink.at.SMTP)
	p, err := start("smtp-source", cmd, filepath.Join(b.dir, "smtp-source.log"))
	if err != nil {
		return err
	}
	return p.wait(ctx)
}

// sendBare sends n mails over so many kept connections.
func sendBare(ctx context.Context, addr string, mail []byte, n, sessions int) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range sessions {
		share := n / sessions
		if i < n%sessions {
			share++
		}
		group.Go(func() error { return sendOver(ctx, addr, mail, share) })
	}
	return group.Wait()
}

// sendOver sends n mails over one connection, one command at a time.
func sendOver(ctx context.Context, addr string, mail []byte, n int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := bufio.NewReader(conn)
	if err := expect(in, '2'); err != nil {
		return err
	}
	body := append(bytes.Clone(mail), ".\r\n"...)
	steps := []struct {
		command []byte
		class   byte
	}{
		{[]byte("MAIL FROM:<espace-abonne@bascule.example>\r\n"), '2'},
		{[]byte("RCPT TO:<personne@reference.example>\r\n"), '2'},
		{[]byte("DATA\r\n"), '3'},
		{body, '2'},
	}
	for range n {
		for _, step := range steps {
			if _, err := conn.Write(step.command); err != nil {
				return err
			}
			if err := expect(in, step.class); err != nil {
				return err
			}
		}
	}
	return nil
}

// expect reads an answer of one line.
func expect(in *bufio.Reader, class byte) error {
	line, err := in.ReadSlice('\n')
	if err == nil && line[0] != class {
		err = fmt.Errorf("the sink answers %q", line)
	}
	return err
}
