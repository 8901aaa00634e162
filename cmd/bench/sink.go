package main

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"bascule/internal/devenv"
)

// A sink is an SMTP server that takes every mail and keeps only what the ledger needs.
// It is a process of its own, so that its processor time is counted apart.
type sink struct {
	seed maphash.Seed

	mu      sync.Mutex
	faults  faults
	tally   tally
	copies  map[uint64]int    // by the hash of the Message-ID
	letters []letter          // the first code mails, at most faults.Keep
	watched map[string]letter // by recipient of watchedDomain
	arrived *sync.Cond
	sample  []byte // the first mail
}

// faults say how a sink misbehaves, and what it keeps.
type faults struct {
	Defer, Refuse, Slow int // per cent of the recipients, and of the answers to the dot
	Delay               time.Duration
	Keep                int // of so many code mails the sink keeps the codes
}

// A tally counts what came.
type tally struct {
	Mails    int            // accepted at the dot
	Distinct map[string]int // Message-IDs, by the kind that they begin with
	Deferred int            // answers 4xx to a recipient
	Refused  int            // answers 5xx to a recipient
	First    time.Time      // the first final answer for a mail
	Last     time.Time
}

// answered is how many mails have got a final answer.
func (t tally) answered() int { return t.Mails + t.Deferred + t.Refused }

// rate is the number of answers a second, from the first to the last one.
func (t tally) rate() float64 {
	span := t.Last.Sub(t.First).Seconds()
	if span <= 0 {
		return 0
	}
	return float64(t.answered()-1) / span
}

// A letter is what a subscriber reads in a code mail.
type letter struct {
	devenv.Letter
	At time.Time // when the sink accepted it
}

// codeKind is the first word of the Message-IDs of code mails.
const codeKind = "code"

// watchedDomain is the domain of recipients for whose mails the bench waits.
const watchedDomain = "attente.example"

func newSink() *sink {
	s := &sink{seed: maphash.MakeSeed()}
	s.arrived = sync.NewCond(&s.mu)
	s.reset(faults{})
	return s
}

// reset forgets everything that came, except the sample.
func (s *sink) reset(f faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.tally = f, tally{Distinct: make(map[string]int)}
	s.copies, s.letters, s.watched = make(map[uint64]int), nil, make(map[string]letter)
}

// keep makes the sink keep the codes of the next mails, in place of the ones before.
func (s *sink) keep(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Keep, s.letters = n, nil
}

// decide counts a final answer for a mail. The caller holds the lock.
func (s *sink) decide() {
	s.tally.Last = time.Now()
	if s.tally.First.IsZero() {
		s.tally.First = s.tally.Last
	}
}

// recipient chooses the answer to RCPT.
func (s *sink) recipient() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.Defer+s.faults.Refuse == 0 {
		return "250 2.1.5 ok\r\n"
	}
	switch n := rand.IntN(100); {
	case n < s.faults.Defer:
		s.tally.Deferred++
		s.decide()
		return "451 4.2.1 mailbox is busy\r\n"
	case n < s.faults.Defer+s.faults.Refuse:
		s.tally.Refused++
		s.decide()
		return "550 5.1.1 no such mailbox\r\n"
	}
	return "250 2.1.5 ok\r\n"
}

// delay is how long the answer to a dot takes.
func (s *sink) delay() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.Slow > 0 && rand.IntN(100) < s.faults.Slow {
		return s.faults.Delay
	}
	return 0
}

// accept counts a mail, before the answer to its dot goes out.
func (s *sink) accept(to string, id, body []byte) {
	h := maphash.Bytes(s.seed, id)
	kind, _, _ := bytes.Cut(bytes.TrimLeft(id, " <"), []byte("."))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide()
	s.tally.Mails++
	if s.copies[h]++; s.copies[h] == 1 {
		s.tally.Distinct[string(kind)]++
	}
	if s.sample == nil {
		s.sample = bytes.Clone(body)
	}
	awaited := strings.HasSuffix(to, "@"+watchedDomain)
	if !awaited && len(s.letters) >= s.faults.Keep {
		return
	}
	l := letter{devenv.Letter{Email: to, Code: devenv.CodeIn(body)}, s.tally.Last}
	if awaited {
		s.watched[to] = l
		s.arrived.Broadcast()
	} else if l.Code != "" {
		s.letters = append(s.letters, l)
	}
}

// await waits for a mail to a recipient of watchedDomain, at most for some seconds.
func (s *sink) await(to string, patience time.Duration) (letter, bool) {
	late := time.Now().Add(patience)
	timer := time.AfterFunc(patience, s.arrived.Broadcast)
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if l, ok := s.watched[to]; ok || time.Now().After(late) {
			return l, ok
		}
		s.arrived.Wait()
	}
}

// serve takes connections until the listener is closed.
func (s *sink) serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			d := dialogue{sink: s, in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 4<<10)}
			_ = d.run() // the client has gone
		}()
	}
}

// A dialogue is one connection of a client.
type dialogue struct {
	sink *sink
	in   *bufio.Reader
	out  *bufio.Writer
	to   string // the recipient of the mail under way, "" if none was taken
	body []byte
}

func (d *dialogue) run() error {
	d.out.WriteString("220 sink.example ESMTP\r\n")
	for {
		if d.in.Buffered() == 0 { // commands that came together are answered together
			if err := d.out.Flush(); err != nil {
				return err
			}
		}
		line, err := d.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		answer, err := d.command(line)
		if err != nil {
			return err
		}
		if answer == "" {
			d.out.WriteString("221 2.0.0 bye\r\n")
			return d.out.Flush()
		}
		d.out.WriteString(answer)
	}
}

// command answers one command; "" ends the dialogue.
func (d *dialogue) command(line []byte) (string, error) {
	verb := strings.ToUpper(string(line[:min(4, len(line))]))
	switch verb {
	case "EHLO":
		return "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10485760\r\n", nil
	case "MAIL", "RSET":
		d.to = ""
		return "250 2.0.0 ok\r\n", nil
	case "RCPT":
		answer := d.sink.recipient()
		if answer[0] == '2' {
			d.to = addressIn(line)
		}
		return answer, nil
	case "DATA":
		if d.to == "" {
			return "503 5.5.1 no recipient\r\n", nil
		}
		return d.data()
	case "QUIT":
		return "", nil
	}
	return "250 2.0.0 ok\r\n", nil
}

// data takes a mail and answers its dot.
func (d *dialogue) data() (string, error) {
	d.out.WriteString("354 go on\r\n")
	if err := d.out.Flush(); err != nil {
		return "", err
	}
	d.body = d.body[:0]
	var id []byte
	for {
		line, err := d.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = nil
		}
		if err != nil {
			return "", io.ErrUnexpectedEOF
		}
		if len(line) == 3 && line[0] == '.' {
			break
		}
		if id == nil && len(line) > len(idHeader) && bytes.EqualFold(line[:len(idHeader)], idHeader) {
			id = bytes.Clone(bytes.TrimSpace(line[len(idHeader):]))
		}
		d.body = append(d.body, line...)
	}
	if wait := d.sink.delay(); wait > 0 {
		time.Sleep(wait)
	}
	d.sink.accept(d.to, id, d.body)
	d.to = ""
	return "250 2.0.0 taken\r\n", nil
}

var idHeader = []byte("Message-ID:")

// addressIn is the text in angle brackets.
func addressIn(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte("<"))
	address, _, _ := bytes.Cut(rest, []byte(">"))
	return string(address)
}
