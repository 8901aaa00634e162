package jobs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A relay is an SMTP server that misbehaves on purpose and remembers every copy
// that it kept.
type relay struct {
	t     testing.TB
	addr  string
	conns sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	script   script
	parcels  []parcel
	asked    []string // recipients in the order of their RCPT
	dialled  int
}

// A script is asked for the answer at each stage; "" is the usual one. to is the
// recipient, "" before it is known, and id the Message-ID at the dot.
type script func(stage, to, id string) string

// relayPassword must not be logged either.
const relayPassword = "mot-de-passe-du-relais"

// The faults of a relay.
const (
	drop = "!drop" // closes; a mail that it was given is lost
	take = "!take" // at the dot: keeps the mail, then closes without a word
)

// A parcel is one copy of a mail that the relay kept.
type parcel struct {
	from, to string
	asks     string // the parameters of its envelope
	helo     string // which worker
	id       string // Message-ID without angle brackets
	raw      string
	said     bool // the relay told that it had it
}

func newRelay(t testing.TB) *relay {
	r := &relay{t: t, open: make(map[net.Conn]bool)}
	r.up()
	t.Cleanup(func() {
		r.down()
		r.conns.Wait()
	})
	return r
}

// URL is the address as SMTP_URL has it.
func (r *relay) URL() string {
	return "smtp://bascule:" + relayPassword + "@" + r.addr + "?starttls=off"
}

// up listens, at the same address each time.
func (r *relay) up() {
	r.t.Helper()
	addr := r.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.addr = l, l.Addr().String()
	r.mu.Unlock()
	r.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.open[conn] = true
			r.mu.Unlock()
			r.conns.Go(func() {
				(&dialogue{relay: r, conn: conn, in: bufio.NewReader(conn)}).serve()
				conn.Close()
				r.mu.Lock()
				delete(r.open, conn)
				r.mu.Unlock()
			})
		}
	})
}

// down refuses connections and breaks those that are open.
func (r *relay) down() {
	r.mu.Lock()
	r.listener.Close()
	r.mu.Unlock()
	r.hangUp()
}

// hangUp breaks the connections that are open.
func (r *relay) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		conn.Close()
	}
}

// follow replaces the script; nil is a good relay.
func (r *relay) follow(s script) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = s
}

// standAfter lets the relay take n mails and then stand still at the dot, until
// goOn or the end of the test.
func (r *relay) standAfter(n int64) (stands func() bool, goOn func()) {
	var dots atomic.Int64
	resume := make(chan struct{})
	r.follow(func(stage, _, _ string) string {
		if stage == "dot" && dots.Add(1) > n {
			select {
			case <-resume:
			case <-r.t.Context().Done():
			}
		}
		return ""
	})
	return func() bool { return dots.Load() > n }, func() { close(resume) }
}

func (r *relay) kept() []parcel {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.parcels)
}

// keptFor are the copies for one recipient.
func (r *relay) keptFor(to string) []parcel {
	return slices.DeleteFunc(r.kept(), func(p parcel) bool { return p.to != to })
}

// rcpts are the recipients that the relay was asked to take, in order.
func (r *relay) rcpts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// dials is how many connections it was offered.
func (r *relay) dials() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dialled
}

// at is a script that answers one stage of every mail.
func at(stage, answer string) script {
	return func(s, _, _ string) string {
		if s == stage {
			return answer
		}
		return ""
	}
}

// refusing is a script that answers RCPT for some recipients.
func refusing(answer string, to ...string) script {
	return func(s, rcpt, _ string) string {
		if s == "rcpt" && slices.Contains(to, rcpt) {
			return answer
		}
		return ""
	}
}

// times limits a script to the first n mails that meet an answer of it.
func times(n int, s script) script {
	var mu sync.Mutex
	return func(stage, to, id string) string {
		mu.Lock()
		defer mu.Unlock()
		answer := s(stage, to, id)
		if answer == "" || n == 0 {
			return ""
		}
		n--
		return answer
	}
}

// A dialogue is one connection.
type dialogue struct {
	relay    *relay
	conn     net.Conn
	in       *bufio.Reader
	helo     string
	from, to string
	asks     string
}

func (d *dialogue) serve() {
	if !d.reply("connect", "220 relay.example ESMTP") {
		return
	}
	for {
		line, err := d.in.ReadString('\n')
		if err != nil || !d.command(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

func (d *dialogue) command(line string) bool {
	verb, _, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO":
		_, d.helo, _ = strings.Cut(line, " ")
		return d.reply("ehlo", "250-relay.example\r\n250-AUTH PLAIN\r\n250-DSN\r\n250 PIPELINING")
	case "AUTH":
		return d.reply("auth", "235 2.7.0 welcome")
	case "MAIL":
		d.from, d.to = between(line), ""
		_, d.asks, _ = strings.Cut(line, "> ")
		return d.reply("mail", "250 2.1.0 ok")
	case "RCPT":
		d.to = between(line)
		if _, notify, ok := strings.Cut(line, "> "); ok {
			d.asks += " " + notify
		}
		return d.reply("rcpt", "250 2.1.5 ok")
	case "DATA":
		return d.data()
	case "RSET":
		return d.say("250 2.0.0 ok")
	case "QUIT":
		d.say("221 2.0.0 bye")
		return false
	}
	return d.say("500 5.5.1 what?")
}

func (d *dialogue) data() bool {
	if d.to == "" {
		return d.say("503 5.5.1 no recipient")
	}
	if answer := d.ask("data", ""); answer != "" {
		return answer != drop && d.say(answer)
	}
	d.say("354 go on")
	raw, err := io.ReadAll(textproto.NewReader(d.in).DotReader())
	if err != nil {
		return false // truncated: a server forgets it
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		d.relay.t.Errorf("a mail that cannot be read: %v", err)
		return false
	}
	p := parcel{from: d.from, to: d.to, asks: d.asks, helo: d.helo, id: strings.Trim(m.Header.Get("Message-ID"), "<>"), raw: string(raw)}
	answer := d.ask("dot", p.id)
	if answer == "" || answer == take {
		p.said = answer == ""
		d.relay.mu.Lock()
		d.relay.parcels = append(d.relay.parcels, p)
		d.relay.mu.Unlock()
	}
	if answer == "" {
		answer = "250 2.0.0 queued"
	}
	return answer[0] != '!' && d.say(answer)
}

func (d *dialogue) ask(stage, id string) string {
	d.relay.mu.Lock()
	s := d.relay.script
	switch stage {
	case "connect":
		d.relay.dialled++
	case "rcpt":
		d.relay.asked = append(d.relay.asked, d.to)
	}
	d.relay.mu.Unlock()
	if s == nil {
		return ""
	}
	return s(stage, d.to, id)
}

func (d *dialogue) reply(stage, usual string) bool {
	answer := d.ask(stage, "")
	if answer == "" {
		return d.say(usual)
	}
	if stage == "rcpt" {
		d.to = ""
	}
	return answer[0] != '!' && d.say(answer)
}

func (d *dialogue) say(s string) bool {
	_, err := fmt.Fprintf(d.conn, "%s\r\n", s)
	return err == nil
}

func between(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}
