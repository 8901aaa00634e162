package simulation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A relay is an SMTP server that follows orders.
type relay struct {
	addr string

	mu      sync.Mutex
	mood    mood
	answers func(to string) string // to RCPT; "" takes the recipient
	offers  []offer
	open    map[net.Conn]bool
}

// A mood is how the relay treats everybody.
type mood struct {
	refusal string        // greets with it; "away": closes at once
	mute    int           // keeps so many mails, and closes without a word
	stand   chan struct{} // waits for it at the dot
}

// An offer is a mail that the relay was asked to accept, and its answer about the
// recipient: "" if it kept the mail.
type offer struct {
	from, to string
	answer   string
	raw      []byte
}

func newRelay(t testing.TB, answers func(to string) string) *relay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), answers: answers, open: make(map[net.Conn]bool)}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.note(conn, true)
			conns.Go(func() {
				(&dialogue{relay: r, Conn: conn, in: bufio.NewReader(conn)}).serve()
				conn.Close()
				r.note(conn, false)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.feel(mood{})
		conns.Wait()
	})
	return r
}

func (r *relay) note(conn net.Conn, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if open {
		r.open[conn] = true
	} else {
		delete(r.open, conn)
	}
}

// feel changes the mood, and hangs up.
func (r *relay) feel(m mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = m
	for conn := range r.open {
		conn.Close()
	}
}

// taken returns the offers since its last call, in an order that does not depend on
// which connection was faster.
func (r *relay) taken() []offer {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.offers
	r.offers = nil
	slices.SortStableFunc(list, func(x, y offer) int { return strings.Compare(x.to+x.from, y.to+y.from) })
	return list
}

func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.offers)
}

func (r *relay) keep(o offer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offers = append(r.offers, o)
}

// A dialogue is one connection.
type dialogue struct {
	net.Conn
	*relay
	in       *bufio.Reader
	from, to string
}

func (d *dialogue) serve() {
	d.mu.Lock()
	refusal := d.mood.refusal
	d.mu.Unlock()
	if refusal != "" {
		if refusal != "away" {
			d.say(refusal)
		}
		return
	}
	d.say("220 relay.example ESMTP")
	for {
		line, err := d.in.ReadString('\n')
		if err != nil || !d.command(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

func (d *dialogue) command(line string) bool {
	switch verb, _, _ := strings.Cut(line, " "); verb {
	case "EHLO":
		return d.say("250-relay.example\r\n250-DSN\r\n250 PIPELINING")
	case "MAIL":
		d.from, d.to = bracketed(line), ""
		return d.say("250 2.1.0 ok")
	case "RCPT":
		d.to = bracketed(line)
		if answer := d.answers(d.to); answer != "" {
			d.keep(offer{from: d.from, to: d.to, answer: answer})
			d.to = ""
			return d.say(answer)
		}
		return d.say("250 2.1.5 ok")
	case "DATA":
		return d.data()
	case "RSET":
		return d.say("250 2.0.0 ok")
	}
	d.say("221 2.0.0 bye")
	return false
}

func (d *dialogue) data() bool {
	if d.to == "" {
		return d.say("503 5.5.1 no recipient")
	}
	d.say("354 go on")
	raw, err := io.ReadAll(textproto.NewReader(d.in).DotReader())
	if err != nil {
		return false // truncated: a server forgets it
	}
	d.mu.Lock()
	stand := d.mood.stand
	mute := d.mood.mute > 0
	if mute {
		d.mood.mute--
	}
	d.mu.Unlock()
	d.keep(offer{from: d.from, to: d.to, raw: raw})
	if stand != nil {
		<-stand
	}
	return !mute && d.say("250 2.0.0 queued")
}

func (d *dialogue) say(s string) bool {
	_, err := fmt.Fprintf(d.Conn, "%s\r\n", s)
	return err == nil
}

func bracketed(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}
