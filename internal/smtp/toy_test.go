package smtp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is an SMTP server that misbehaves on purpose. A message is known by its
// return path: m0@, m1@, …
type toy struct {
	offers   []string                                // nil: PIPELINING
	greeting string                                  // "": 220
	answer   func(conn, msg int, stage Stage) string // "" for the usual answer; else an answer, or one of drop…
	always   bool                                    // answers 354 whatever was refused before
	strict   Stage                                   // refuses parameters there
	strictly string                                  // with these words
	dribble  bool                                    // one byte per write
	cutAt    int                                     // bytes of the body that cut and stall read

	mu    sync.Mutex
	conns int
	open  sync.WaitGroup
	mails []toyMail
	seen  []string // verbs of all connections
	lines []string // MAIL and RCPT of all connections
}

type toyMail struct {
	msg      int
	from, to string
	body     string
}

// The faults of a toy.
const (
	drop   = "!drop"   // closes; a mail that it was given is lost
	take   = "!take"   // at the dot: keeps the mail, then closes without a word
	hang   = "!hang"   // reads on and never answers
	cut    = "!cut"    // at DATA: says 354, reads cutAt bytes of the body, closes
	stall  = "!stall"  // at DATA: the same, but goes on long after the client gave up
	babble = "!babble" // never ends its answer
)

// These are scripted like the stages of a message.
const (
	stageRset Stage = "rset"
	stageQuit Stage = "quit"
)

// dial connects a client to a new goroutine of the toy, without a network.
func (s *toy) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.mu.Lock()
	n := s.conns
	s.conns++
	s.mu.Unlock()
	s.open.Go(func() {
		defer server.Close()
		(&toyConn{toy: s, conn: server, in: bufio.NewReaderSize(server, 1<<20), n: n, msg: -1}).serve()
	})
	return client, nil
}

// relay is a client of the toy. The end of the test waits for both.
func (s *toy) relay(t testing.TB, cfg Config, conns int) *Client {
	cfg.Host, cfg.Port, cfg.dial = "relay.example", "25", s.dial
	if cfg.TLS == "" {
		cfg.TLS = TLSOff
	}
	r := NewClient(cfg, conns)
	t.Cleanup(func() {
		r.Close()
		s.open.Wait()
	})
	return r
}

func (s *toy) verbs(verb string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.seen {
		if v == verb {
			n++
		}
	}
	return n
}

type toyConn struct {
	toy      *toy
	conn     net.Conn
	in       *bufio.Reader
	n, msg   int
	from, to string
	begun    bool // a transaction is open
	ok       bool // it has a recipient
}

func (c *toyConn) serve() {
	greeting := c.toy.greeting
	if greeting == "" {
		greeting = "220 toy.example ESMTP"
	}
	if greeting == hang {
		io.Copy(io.Discard, c.in)
		return
	}
	if !c.say(greeting) {
		return
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(line, " ")
		c.toy.mu.Lock()
		c.toy.seen = append(c.toy.seen, verb)
		c.toy.mu.Unlock()
		if !c.command(verb, line) {
			return
		}
	}
}

// command answers one command and tells whether the connection goes on.
func (c *toyConn) command(verb, line string) bool {
	switch verb {
	case "EHLO":
		offers := c.toy.offers
		if offers == nil {
			offers = []string{"PIPELINING"}
		}
		return c.reply(StageEhlo, "250-toy.example\r\n250-"+strings.Join(append(offers, "HELP"), "\r\n250-")+"\r\n250 X-TOY")
	case "AUTH":
		return c.reply(StageAuth, "235 2.7.0 welcome")
	case "MAIL":
		if c.begun {
			return c.say("503 5.5.1 nested")
		}
		c.from, c.to, c.ok = between(line), "", false
		fmt.Sscanf(c.from, "m%d@", &c.msg)
		if c.refuses(StageMail, line) {
			return c.say(c.toy.strictly)
		}
		return c.reply(StageMail, "250 2.1.0 ok")
	case "RCPT":
		c.to = between(line)
		if c.refuses(StageRcpt, line) {
			return c.say(c.toy.strictly)
		}
		return c.reply(StageRcpt, "250 2.1.5 ok")
	case "DATA":
		return c.data()
	case "RSET":
		if c.script(stageRset) == "" {
			c.begun = false
		}
		return c.reply(stageRset, "250 2.0.0 ok")
	case "QUIT":
		c.reply(stageQuit, "221 2.0.0 bye")
		return false
	}
	return c.say("500 5.5.1 what?")
}

// refuses notes an envelope's line, and tells whether its parameters are refused.
func (c *toyConn) refuses(stage Stage, line string) bool {
	c.toy.mu.Lock()
	defer c.toy.mu.Unlock()
	c.toy.lines = append(c.toy.lines, line)
	return c.toy.strict == stage && !strings.HasSuffix(line, ">")
}

func (c *toyConn) data() bool {
	if !c.ok && !c.toy.always {
		return c.say("503 5.5.1 no recipient")
	}
	if script := c.script(StageData); script == cut || script == stall {
		c.say("354 go on")
		io.ReadFull(c.conn, make([]byte, c.toy.cutAt))
		if script == cut {
			return false
		}
		<-time.After(DefaultLimits().Write + time.Minute)
	}
	if more := c.script(StageData) == stall || c.reply(StageData, "354 go on"); !more || !c.ok && !c.toy.always || c.script(StageData) != "" && c.script(StageData) != stall {
		return more
	}
	body, err := io.ReadAll(textproto.NewReader(c.in).DotReader())
	if err != nil {
		return false // truncated: a server forgets it
	}
	c.begun = false
	script := c.script(StageDot)
	if script == "" || script == take || script[0] == '2' {
		c.toy.mu.Lock()
		c.toy.mails = append(c.toy.mails, toyMail{c.msg, c.from, c.to, string(body)})
		c.toy.mu.Unlock()
	}
	return c.reply(StageDot, "250 2.0.0 queued")
}

func (c *toyConn) script(stage Stage) string {
	if c.toy.answer == nil {
		return ""
	}
	return c.toy.answer(c.n, c.msg, stage)
}

func (c *toyConn) reply(stage Stage, usual string) bool {
	script := c.script(stage)
	switch script {
	case "":
		c.begun = c.begun || stage == StageMail
		c.ok = c.ok || stage == StageRcpt
		return c.say(usual)
	case drop, take:
		return false
	case hang:
		io.Copy(io.Discard, c.in)
		return false
	case babble:
		for c.say("250-and another thing") {
		}
		return false
	}
	if stage == StageRcpt {
		c.ok = script[0] == '2'
	}
	return c.say(script)
}

func (c *toyConn) say(s string) bool {
	s += "\r\n"
	step := len(s)
	if c.toy.dribble {
		step = 1
	}
	for ; s != ""; s = s[min(step, len(s)):] {
		if _, err := io.WriteString(c.conn, s[:min(step, len(s))]); err != nil {
			return false
		}
	}
	return true
}

func between(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}
