package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bascule/internal/devenv/devtest"

	"pgregory.net/rapid"
)

// messages makes n messages, known to the toy by their return path.
func messages(t testing.TB, n int) []Message {
	out := make([]Message, n)
	for i := range out {
		out[i] = Message{
			Envelope: Envelope{From: devtest.Email(t, fmt.Sprintf("m%d@us.example", i)), To: devtest.Email(t, fmt.Sprintf("client%d@client.example", i))},
			Body:     []byte(fmt.Sprintf("Subject: %d\r\n\r\n.dot\r\n..\r\n.\r\nend of %d", i, i)),
		}
	}
	return out
}

// handOver has the messages sent that are written already.
func handOver(ctx context.Context, r *Client, w []Message, late func() bool, done func(int, Outcome)) {
	r.Send(ctx, len(w), func(i int) (Message, error) { return w[i], nil }, late, done)
}

// send sends and checks that done was called once per message, in order.
func send(ctx context.Context, t testing.TB, r *Client, w []Message) []Outcome {
	return sendUntil(ctx, t, r, w, nil)
}

// sendUntil is send for a caller to whom it may become too late.
func sendUntil(ctx context.Context, t testing.TB, r *Client, w []Message, late func() bool) []Outcome {
	var got []Outcome
	handOver(ctx, r, w, late, func(i int, o Outcome) {
		if i != len(got) {
			t.Errorf("done(%d) called in place of done(%d)", i, len(got))
		}
		got = append(got, o)
	})
	if len(got) != len(w) {
		t.Fatalf("%d outcomes for %d messages", len(got), len(w))
	}
	return got
}

func kinds(outcomes []Outcome) string {
	var s []string
	for _, o := range outcomes {
		s = append(s, o.Kind.String())
	}
	return strings.Join(s, " ")
}

// copies tells which messages the toy keeps, and checks that each is whole and
// in its own envelope.
func (s *toy) copies(t testing.TB, w []Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, m := range s.mails {
		want := strings.ReplaceAll(string(w[m.msg].Body), "\r\n", "\n") + "\n"
		if m.body != want || m.from != w[m.msg].From.Mailbox() || m.to != w[m.msg].To.Mailbox() {
			t.Errorf("message %d arrived as %q from %s to %s", m.msg, m.body, m.from, m.to)
		}
		got = append(got, fmt.Sprint(m.msg))
	}
	return strings.Join(got, " ")
}

// at scripts one answer for one message at one stage.
func at(msg int, stage Stage, answer string) func(int, int, Stage) string {
	return func(_, m int, s Stage) string {
		if m == msg && s == stage {
			return answer
		}
		return ""
	}
}

// onceAt is at, of the second message on the first connection alone.
func onceAt(stage Stage, answer string) func(int, int, Stage) string {
	return func(conn, m int, s Stage) string {
		if conn == 0 {
			return at(1, stage, answer)(conn, m, s)
		}
		return ""
	}
}

// afterRefusal refuses the second message's recipient, and then answers RSET so.
func afterRefusal(answer string) func(int, int, Stage) string {
	return func(_, m int, s Stage) string {
		switch {
		case m == 1 && s == StageRcpt:
			return "550 5.1.1 unknown"
		case s == stageRset:
			return answer
		}
		return ""
	}
}

// D11: a window of three whose second message meets trouble. The test knows its
// outcome, the outcomes around it, the relay's mails, and the number of connections.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		name  string
		toy   *toy
		want  string
		mails string
		conns int
	}{
		{"none", &toy{}, "accepted accepted accepted", "0 1 2", 1},
		{"no pipelining", &toy{offers: []string{}}, "accepted accepted accepted", "0 1 2", 1},
		{"answers byte by byte", &toy{dribble: true}, "accepted accepted accepted", "0 1 2", 1},
		{"person at RCPT", &toy{answer: at(1, StageRcpt, "550 5.1.1 unknown")}, "accepted person accepted", "0 2", 1},
		{"person at RCPT, no pipelining", &toy{offers: []string{}, answer: at(1, StageRcpt, "550 5.1.1 unknown")}, "accepted person accepted", "0 2", 1},
		{"person at RCPT, then 354", &toy{always: true, answer: at(1, StageRcpt, "550 5.1.1 unknown")}, "accepted person accepted", "0 2", 2},
		{"lost after refused RCPT", &toy{answer: func(conn, m int, s Stage) string {
			if conn == 0 && m == 1 && s == StageRcpt {
				return "550-5.1.1 unknown\r\n550 5.1.1 bye\r\n421 4.3.2 closing"
			}
			return ""
		}}, "accepted person accepted", "0 2", 2},
		{"RSET refused", &toy{answer: afterRefusal("500 5.5.1 what?")}, "accepted person accepted", "0 2", 2},
		{"lost at RSET", &toy{answer: afterRefusal(drop)}, "accepted person accepted", "0 2", 2},
		{"unclear at RCPT", &toy{answer: at(1, StageRcpt, "554 5.7.1 denied")}, "accepted unclear accepted", "0 2", 1},
		{"later at RCPT", &toy{answer: at(1, StageRcpt, "450 4.2.0 greylisted")}, "accepted later accepted", "0 2", 1},
		{"421 at RCPT", &toy{answer: at(1, StageRcpt, "421 4.3.2 closing")}, "accepted us not_sent", "0", 2},
		{"421 at RCPT of a used connection", &toy{answer: onceAt(StageRcpt, "421 4.7.0 too many messages")}, "accepted accepted accepted", "0 1 2", 2},
		{"421 at DATA of a used connection", &toy{answer: onceAt(StageData, "421 4.7.0 too many messages")}, "accepted accepted accepted", "0 1 2", 2},
		{"452 at RCPT of a used connection", &toy{answer: onceAt(StageRcpt, "452 too many recipients")}, "accepted accepted accepted", "0 1 2", 2},
		{"too many recipients", &toy{answer: onceAt(StageRcpt, "452 4.5.3 too many recipients")}, "accepted accepted accepted", "0 1 2", 2},
		{"too many recipients, then 354", &toy{always: true, answer: onceAt(StageRcpt, "452 4.5.3 too many")}, "accepted accepted accepted", "0 1 2", 2},
		{"too many recipients on a fresh connection", &toy{answer: at(1, StageRcpt, "452 4.5.3 too many")}, "accepted later accepted", "0 2", 2},
		{"full, for now", &toy{answer: at(1, StageRcpt, "452 4.2.2 full")}, "accepted later accepted", "0 2", 1},
		{"lost at RCPT", &toy{answer: at(1, StageRcpt, drop)}, "accepted not_sent not_sent", "0", 1},
		{"refused at MAIL", &toy{answer: at(1, StageMail, "550 5.7.1 not you")}, "accepted us not_sent", "0", 1},
		{"busy at MAIL", &toy{answer: at(1, StageMail, "451 4.3.0 busy")}, "accepted us not_sent", "0", 1},
		{"closed after a message", &toy{answer: onceAt(StageMail, drop)}, "accepted accepted accepted", "0 1 2", 2},
		{"421 after a message", &toy{answer: onceAt(StageMail, "421 4.7.0 too many messages")}, "accepted accepted accepted", "0 1 2", 2},
		{"421 on a fresh connection too", &toy{answer: at(1, StageMail, "421 4.7.0 go away")}, "accepted us not_sent", "0", 2},
		{"garbage at MAIL, twice", &toy{answer: at(1, StageMail, "hello")}, "accepted us not_sent", "0", 2},
		{"later at DATA", &toy{answer: at(1, StageData, "451 4.3.0 disk")}, "accepted later accepted", "0 2", 1},
		{"refused at DATA", &toy{answer: at(1, StageData, "554 5.1.1 odd")}, "accepted unclear accepted", "0 2", 1},
		{"250 in place of 354", &toy{answer: at(1, StageData, "250 ok")}, "accepted not_sent not_sent", "0", 1},
		{"350 in place of 354", &toy{answer: at(1, StageData, "350 go on")}, "accepted not_sent not_sent", "0", 1},
		{"lost at DATA", &toy{answer: at(1, StageData, drop)}, "accepted not_sent not_sent", "0", 1},
		{"lost inside the body", &toy{answer: at(1, StageData, cut)}, "accepted not_sent not_sent", "0", 1},
		{"lost after the dot, mail kept", &toy{answer: at(1, StageDot, take)}, "accepted in_doubt not_sent", "0 1", 1},
		{"lost after the dot, mail gone", &toy{answer: at(1, StageDot, drop)}, "accepted in_doubt not_sent", "0", 1},
		{"garbage after the dot", &toy{answer: at(1, StageDot, "huh")}, "accepted in_doubt not_sent", "0", 1},
		{"354 after the dot", &toy{answer: at(1, StageDot, "354 go on")}, "accepted in_doubt not_sent", "0", 1},
		{"two codes in one answer", &toy{answer: at(1, StageDot, "250-ok\r\n550 no")}, "accepted in_doubt not_sent", "0 1", 1},
		{"endless answer to the dot", &toy{answer: at(1, StageDot, babble)}, "accepted in_doubt not_sent", "0", 1},
		{"endless line", &toy{answer: at(1, StageDot, "250 "+strings.Repeat("x", maxReply))}, "accepted in_doubt not_sent", "0 1", 1},
		{"person at the dot", &toy{answer: at(1, StageDot, "550 5.2.1 closed")}, "accepted person accepted", "0 2", 1},
		{"full at the dot", &toy{answer: at(1, StageDot, "552 5.2.2 full")}, "accepted later accepted", "0 2", 1},
		{"full at RCPT", &toy{answer: at(1, StageRcpt, "552 5.2.2 full")}, "accepted later accepted", "0 2", 1},
		{"unclear at the dot", &toy{answer: at(1, StageDot, "554 5.7.1 spam")}, "accepted unclear accepted", "0 2", 1},
		{"later at the dot", &toy{answer: at(1, StageDot, "451 4.3.0 busy")}, "accepted later accepted", "0 2", 1},
		{"421 at the dot", &toy{answer: at(1, StageDot, "421 4.3.2 closing")}, "accepted us not_sent", "0", 1},
		{"too large", &toy{offers: []string{"PIPELINING", "SIZE 60"}}, "accepted unclear accepted", "0 2", 1},
		{"greeting refused", &toy{greeting: "554 5.3.2 no"}, "us not_sent not_sent", "", 1},
		{"greeting garbage", &toy{greeting: "SSH-2.0"}, "us not_sent not_sent", "", 1},
		{"EHLO refused", &toy{answer: at(-1, StageEhlo, "502 5.5.1 no")}, "us not_sent not_sent", "", 1},
		{"EHLO lost", &toy{answer: at(-1, StageEhlo, drop)}, "us not_sent not_sent", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := messages(t, 3)
			if c.name == "too large" {
				w[1].Body = append(w[1].Body, "longer than the others, and longer than SIZE"...)
			}
			outcomes := send(t.Context(), t, c.toy.relay(t, Config{}, 1), w)
			if got := kinds(outcomes); got != c.want {
				t.Errorf("outcomes %q, want %q: %v", got, c.want, outcomes)
			}
			if got := c.toy.copies(t, w); got != c.mails {
				t.Errorf("the relay has %q, want %q", got, c.mails)
			}
			if c.toy.conns != c.conns {
				t.Errorf("%d connections, want %d", c.toy.conns, c.conns)
			}
		})
	}
}

// A message is written shortly before its turn, and one that cannot be written holds up
// no other, also where a connection or what was written ahead ends.
func TestWrittenAhead(t *testing.T) {
	for _, n := range []int{1, writeAhead - 1, writeAhead, writeAhead + 1, 100} {
		s, w := &toy{}, messages(t, 2*writeAhead+2)
		r := s.relay(t, Config{Limits: perConn(n)}, 1)
		unwritten, written, sent := []int{1, writeAhead - 1, writeAhead, len(w) - 1}, 0, 0
		r.Send(t.Context(), len(w), func(i int) (Message, error) {
			if written = max(written, i+1); written > sent+writeAhead+1 {
				t.Errorf("%d messages are written, %d sent", written, sent)
			}
			if slices.Contains(unwritten, i) {
				return Message{}, errors.New("no template")
			}
			return w[i], nil
		}, nil, func(i int, o Outcome) {
			sent++
			if bad := slices.Contains(unwritten, i); bad != errors.Is(o.Err, ErrUnwritten) || bad != (o.Kind == NotSent) || !bad && o.Kind != Accepted {
				t.Errorf("%d a connection: message %d is %v", n, i, o)
			}
		})
		if have := len(strings.Fields(s.copies(t, w))); have != len(w)-len(unwritten) {
			t.Errorf("%d a connection: the relay has %d of %d messages", n, have, len(w)-len(unwritten))
		}
	}
}

// I8: few large messages are in memory at a time, such as those with a recap.
func TestLargeWrittenAhead(t *testing.T) {
	s, w := &toy{}, messages(t, 12)
	line := strings.Repeat("x", 998) + "\r\n"
	for i := range w {
		w[i].Body = []byte("\r\n" + strings.Repeat(line, writeAheadBytes/4/len(line)+1) + "end")
	}
	r, held := s.relay(t, Config{}, 1), 0
	r.Send(t.Context(), len(w), func(i int) (Message, error) {
		if held += len(w[i].Body); held > 2*writeAheadBytes {
			t.Errorf("%d bytes are in memory with message %d", held, i)
		}
		return w[i], nil
	}, nil, func(i int, o Outcome) {
		if held -= len(w[i].Body); o.Kind != Accepted {
			t.Errorf("message %d is %v", i, o)
		}
	})
	s.copies(t, w)
}

// I5: a relay may do anything at any moment. Accepted means one whole copy, InDoubt at
// most one, everything else none. Every message has its outcome.
func TestAnyTrouble(t *testing.T) {
	answers := map[Stage][]string{
		StageMail: {drop, "421 4.0.0 x", "451 4.0.0 x", "550 5.1.8 x", "zzz"},
		StageRcpt: {drop, "421 4.0.0 x", "450 4.2.1 x", "452 4.5.3 x", "550 5.1.1 x", "550 x", "zzz", "354 x"},
		StageData: {drop, cut, "421 4.0.0 x", "451 4.0.0 x", "554 5.0.0 x", "250 x", "zzz"},
		StageDot:  {drop, take, "421 4.0.0 x", "451 4.0.0 x", "552 5.2.2 x", "554 5.7.1 x", "354 x", "zzz", "250-\r\n250 ok", "251\tx", "250x"},
	}
	stages := []Stage{StageMail, StageRcpt, StageData, StageDot}
	rapid.Check(t, func(rt *rapid.T) {
		const n = 6
		script := make(map[string]string)
		for range rapid.IntRange(0, 5).Draw(rt, "faults") {
			stage := rapid.SampledFrom(stages).Draw(rt, "stage")
			key := fmt.Sprint(rapid.IntRange(0, n-1).Draw(rt, "message"), stage)
			script[key] = rapid.SampledFrom(answers[stage]).Draw(rt, "answer")
		}
		s := &toy{
			always:  rapid.Bool().Draw(rt, "always 354"),
			dribble: rapid.Bool().Draw(rt, "dribble"),
			answer:  func(_, msg int, stage Stage) string { return script[fmt.Sprint(msg, stage)] },
		}
		if !rapid.Bool().Draw(rt, "pipelining") {
			s.offers = []string{}
		}
		cfg := Config{Limits: perConn(rapid.IntRange(1, 4).Draw(rt, "per connection"))}
		cfg.Host, cfg.dial, cfg.TLS = "relay.example", s.dial, TLSOff
		r := NewClient(cfg, 1)
		w := messages(t, n)
		outcomes := send(t.Context(), t, r, w)
		r.Close()
		s.open.Wait()
		have := strings.Fields(s.copies(t, w))
		for i, o := range outcomes {
			count := 0
			for _, m := range have {
				if m == fmt.Sprint(i) {
					count++
				}
			}
			if o.Kind == Accepted && count != 1 || o.Kind == InDoubt && count > 1 || o.Kind != Accepted && o.Kind != InDoubt && count != 0 {
				rt.Errorf("message %d is %v, and the relay has %d copies", i, o, count)
			}
		}
		if !slices.IsSorted(have) {
			rt.Errorf("out of order: %v", have)
		}
	})
}

// The connection may break at any byte of a body. Up to the dot the message is
// certainly not sent; from the dot on nobody can know. The commands that travel
// behind the dot change nothing.
func TestCutAtEveryByte(t *testing.T) {
	w := messages(t, 2)
	wire := len(appendData(nil, w[0].Body))
	for n := range wire + 20 {
		s := &toy{answer: at(0, StageData, cut), cutAt: n}
		want := "in_doubt not_sent"
		if n <= wire-len(".\r\n") {
			want = "not_sent not_sent"
		}
		if got := send(t.Context(), t, s.relay(t, Config{}, 1), w); kinds(got) != want {
			t.Errorf("cut after %d bytes of %d: %v, want %s", n, wire, got, want)
		}
	}
}

// A window of mails costs one write and one round trip each: the commands of the
// next one travel with the body of the one before.
func TestPipelined(t *testing.T) {
	for _, c := range []struct {
		name   string
		offers []string
		most   int
	}{{"pipelining", nil, 11}, {"one by one", []string{}, 40}, {"pipelining, with DSNs", []string{"PIPELINING", "DSN"}, 13}} {
		s := &toy{offers: c.offers}
		r := s.relay(t, Config{}, 1)
		count := &countingDial{dial: s.dial}
		r.cfg.dial = count.connect
		send(t.Context(), t, r, asking(t, 10))
		if got := count.writes - 1; got != c.most { // EHLO
			t.Errorf("%s: %d writes for 10 mails, want %d", c.name, got, c.most)
		}
	}
}

// A kept connection serves the next window; one that the relay closed meanwhile
// costs nothing but a new one; none lives longer than Idle or carries more than
// PerConn messages.
func TestKeptConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &toy{}
		r := s.relay(t, Config{Limits: perConn(5)}, 2)
		two := messages(t, 2)
		for range 2 {
			send(t.Context(), t, r, two)
		}
		if s.conns != 1 || s.verbs("EHLO") != 1 {
			t.Fatalf("%d connections for two windows in a row", s.conns)
		}
		if got := kinds(send(t.Context(), t, r, two)); got != "accepted accepted" || s.conns != 2 || s.verbs("QUIT") != 1 {
			t.Fatalf("fifth and sixth message: %s, %d connections, %d QUIT", got, s.conns, s.verbs("QUIT"))
		}
		<-time.After(20 * time.Second)
		send(t.Context(), t, r, two)
		<-time.After(29 * time.Second)
		synctest.Wait()
		if s.verbs("QUIT") != 1 {
			t.Error("closed before Idle")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if s.verbs("QUIT") != 2 {
			t.Error("kept beyond Idle")
		}
	})
}

// A kept connection outlives the context of its windows; one that was told to stop
// is not kept.
func TestKeptBeyondContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &toy{}
		r := s.relay(t, Config{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		send(ctx, t, r, messages(t, 1))
		cancel()
		<-time.After(DefaultLimits().Grace + time.Second)
		if got := kinds(send(t.Context(), t, r, messages(t, 1))); got != "accepted" || s.conns != 1 {
			t.Errorf("%s over %d connections", got, s.conns)
		}
		ctx, cancel = context.WithCancel(t.Context())
		handOver(ctx, r, messages(t, 1), nil, func(int, Outcome) { cancel(); synctest.Wait() })
		if n := s.verbs("QUIT"); n != 1 {
			t.Errorf("%d QUIT of a connection that was told to stop", n)
		}
	})
}

// The connection that was used last is used next, so that one too many ends.
func TestSurplusConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := make(chan struct{})
		s := &toy{answer: func(conn, _ int, stage Stage) string {
			if conn == 0 && stage == StageDot {
				<-both
			}
			return ""
		}}
		r, one := s.relay(t, Config{}, 2), messages(t, 1)
		var first sync.WaitGroup
		first.Go(func() { send(t.Context(), t, r, one) })
		synctest.Wait()
		send(t.Context(), t, r, one)
		close(both)
		first.Wait()
		for range 6 {
			<-time.After(10 * time.Second)
			send(t.Context(), t, r, one)
		}
		if s.conns != 2 || s.verbs("QUIT") != 1 {
			t.Errorf("%d connections, %d QUIT", s.conns, s.verbs("QUIT"))
		}
	})
}

// The relay closed the kept connection behind our back: the next window does not notice.
func TestStaleConnection(t *testing.T) {
	for _, answer := range []string{drop, "421 4.4.2 timeout"} {
		armed := false
		s := &toy{answer: func(conn, _ int, stage Stage) string {
			if armed && conn == 0 && stage == StageMail {
				return answer
			}
			return ""
		}}
		r := s.relay(t, Config{}, 1)
		send(t.Context(), t, r, messages(t, 1))
		armed = true
		if got := send(t.Context(), t, r, messages(t, 2)); kinds(got) != "accepted accepted" {
			t.Errorf("%s: %v", answer, got)
		}
	}
}

// D11: a relay that takes one connection of ours does not refuse us: all windows go over
// that one. The client asks for another one a minute later. A relay that takes none of
// several refuses us at once, and one that goes away leaves nothing behind once it is back.
func TestFewerConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, most, lost := time.Now(), 0, 0
		var mu sync.Mutex
		open := make(map[int]bool) // connections that greeted and have not left
		s := &toy{answer: func(conn, _ int, stage Stage) string {
			mu.Lock()
			defer mu.Unlock()
			switch stage {
			case StageEhlo:
				if len(open) >= most {
					return "421 4.7.0 too many connections"
				}
				open[conn] = true
			case stageQuit:
				delete(open, conn)
			case StageMail:
				if most == 0 { // one after the other
					lost++
					delete(open, conn)
				}
				wait := time.Duration(max(lost, 1)) * time.Second
				gone := most == 0
				mu.Unlock()
				<-time.After(wait)
				mu.Lock()
				if gone {
					return drop
				}
			}
			return ""
		}}
		r := s.relay(t, Config{}, 4)
		hand := func(want string) (took time.Duration) {
			began := time.Now()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if got := kinds(send(t.Context(), t, r, messages(t, 1))); got != want {
						t.Errorf("%d connections are allowed, a mail is %s", most, got)
					}
				})
			}
			all.Wait()
			return time.Since(began)
		}
		if took := hand("us"); took != 0 || s.conns != 4 {
			t.Errorf("the relay refused all after %v and %d connections", took, s.conns)
		}
		most = 1
		for range 5 {
			if took := hand("accepted"); took != 4*time.Second {
				t.Errorf("four windows took %v, one after the other 4 s", took)
			}
		}
		if s.conns > 4+4 {
			t.Errorf("%d connections in %v", s.conns, time.Since(begin))
		}
		most = 4
		<-time.After(fewerFor)
		if took := hand("accepted"); took != time.Second {
			t.Errorf("with four connections again they took %v", took)
		}
		most = 0
		if took := hand("us"); took != 4*time.Second {
			t.Errorf("the last connection was lost after %v", took)
		}
		most, lost = 4, 0
		if took := hand("accepted"); took != time.Second {
			t.Errorf("after an outage four windows took %v", took)
		}
	})
}

// D11: beside a connection over which no mail gets through, a refusal is about us. One for
// good always is: a password that is wrong now is not tried again.
func TestRefusedBesideAnother(t *testing.T) {
	for refusal, want := range map[string]time.Duration{"421 4.7.0 too many connections": fewerFor, "554 5.7.1 go away": 0} {
		synctest.Test(t, func(t *testing.T) {
			s := &toy{answer: func(conn, _ int, stage Stage) string {
				switch {
				case conn == 0 && stage == StageMail:
					<-time.After(2 * fewerFor)
				case conn > 0 && stage == StageEhlo:
					return refusal
				}
				return ""
			}}
			r, begin := s.relay(t, Config{}, 2), time.Now()
			var first sync.WaitGroup
			first.Go(func() { send(t.Context(), t, r, messages(t, 1)) })
			synctest.Wait()
			if got := send(t.Context(), t, r, messages(t, 1)); kinds(got) != "us" || time.Since(begin) != want || s.conns != 2 {
				t.Errorf("%v after %v and %d connections", got, time.Since(begin), s.conns)
			}
			first.Wait()
		})
	}
}

// D11: a relay that refuses a connection while it takes leave of another one is asked
// again; one that goes on to refuse us has refused us.
func TestRefusedAfterLeave(t *testing.T) {
	for _, c := range []struct {
		refuses time.Duration
		want    string
	}{
		{leftPause, "accepted accepted"},
		{2 * leftFor, "accepted us"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var left time.Time
			s := &toy{answer: func(conn, _ int, stage Stage) string {
				switch {
				case stage == stageQuit:
					left = time.Now()
				case stage == StageEhlo && conn > 0 && time.Since(left) < c.refuses:
					return "421 4.7.0 too many connections"
				}
				return ""
			}}
			begin := time.Now()
			got := send(t.Context(), t, s.relay(t, Config{Limits: perConn(1)}, 1), messages(t, 2))
			if kinds(got) != c.want {
				t.Errorf("refused for %v: %v", c.refuses, got)
			}
			if took := time.Since(begin); took > leftFor {
				t.Errorf("refused for %v, it took %v", c.refuses, took)
			}
		})
	}
}

// perConn are the limits with so many messages over one connection.
func perConn(n int) Limits {
	l := DefaultLimits()
	l.PerConn = n
	return l
}

// Every wait ends: at the limit that RFC 5321 gives, whatever the relay does.
func TestWaitsEnd(t *testing.T) {
	limits := DefaultLimits()
	for _, c := range []struct {
		name  string
		toy   *toy
		mode  TLSMode
		want  string
		after time.Duration
	}{
		{"dot", &toy{answer: at(0, StageDot, hang)}, TLSOff, "in_doubt not_sent", limits.Dot},
		{"rcpt", &toy{answer: at(0, StageRcpt, hang)}, TLSOff, "not_sent not_sent", limits.Command},
		{"inside the body", &toy{answer: at(0, StageData, stall)}, TLSOff, "not_sent not_sent", limits.Write},
		{"mail", &toy{answer: at(0, StageMail, hang)}, TLSOff, "us not_sent", limits.Command},
		{"ehlo", &toy{answer: at(-1, StageEhlo, hang)}, TLSOff, "us not_sent", limits.Connect},
		{"greeting", &toy{greeting: hang}, TLSOff, "us not_sent", limits.Connect},
		{"handshake", &toy{greeting: hang}, TLSImplicit, "us not_sent", limits.Connect},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				outcomes := send(t.Context(), t, c.toy.relay(t, Config{TLS: c.mode}, 1), messages(t, 2))
				if got := kinds(outcomes); got != c.want {
					t.Errorf("%s, want %s: %v", got, c.want, outcomes)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("gave up after %v, want %v", took, c.after)
				}
				c.toy.open.Wait()
				if len(c.toy.mails) != 0 {
					t.Errorf("the relay has %v", c.toy.mails)
				}
			})
		})
	}
}

// Cancelling: nothing new is started, and what hangs on a dot gets its grace.
func TestCancelled(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := &toy{}
		if got := send(ctx, t, s.relay(t, Config{}, 1), messages(t, 2)); kinds(got) != "not_sent not_sent" || s.conns != 0 || !errors.Is(got[0].Err, context.Canceled) {
			t.Errorf("%v over %d connections", got, s.conns)
		}
	})
	t.Run("while dialling", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := (&toy{}).relay(t, Config{}, 1)
		r.cfg.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			return nil, ctx.Err()
		}
		if got := send(ctx, t, r, messages(t, 2)); kinds(got) != "not_sent not_sent" {
			t.Errorf("%v", got)
		}
	})
	t.Run("between", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &toy{offers: []string{}}
		var got []Outcome
		w := messages(t, 3)
		handOver(ctx, s.relay(t, Config{}, 1), w, nil, func(i int, o Outcome) {
			got = append(got, o)
			cancel()
		})
		if kinds(got) != "accepted not_sent not_sent" || s.copies(t, w) != "0" || s.verbs("MAIL") != 1 {
			t.Errorf("%v; the relay has %s after %d MAIL", got, s.copies(t, w), s.verbs("MAIL"))
		}
	})
	t.Run("between, the next went ahead", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &toy{answer: func(_, msg int, stage Stage) string {
				if msg == 0 && stage == StageDot {
					cancel()
				}
				return ""
			}}
			w, begin := messages(t, 3), time.Now()
			got := send(ctx, t, s.relay(t, Config{}, 1), w)
			if kinds(got) != "accepted not_sent not_sent" || s.copies(t, w) != "0" {
				t.Errorf("%v; the relay has %s", got, s.copies(t, w))
			}
			if took := time.Since(begin); took != 0 { // it waits for a body: what would be written now is one
				t.Errorf("QUIT was sent, and its answer waited for %s", took)
			}
		})
	})
	t.Run("before the body", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &toy{answer: func(_, _ int, stage Stage) string {
			if stage == StageData {
				cancel()
			}
			return ""
		}}
		w := messages(t, 2)
		if got := send(ctx, t, s.relay(t, Config{}, 1), w); kinds(got) != "not_sent not_sent" || s.copies(t, w) != "" {
			t.Errorf("%v; the relay has %s", got, s.copies(t, w))
		}
	})
	t.Run("an answer does not renew the grace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &toy{answer: func(_, _ int, stage Stage) string {
				switch stage {
				case StageRcpt:
					cancel()
					<-time.After(time.Second)
				case StageData:
					return hang
				}
				return ""
			}}
			begin := time.Now()
			got := send(ctx, t, s.relay(t, Config{}, 1), messages(t, 2))
			if took := time.Since(begin); kinds(got) != "not_sent not_sent" || took != DefaultLimits().Grace {
				t.Errorf("%v after %v", got, took)
			}
		})
	})
	for _, c := range []struct {
		stage Stage
		want  string
	}{{StageDot, "in_doubt not_sent"}, {StageRcpt, "not_sent not_sent"}, {StageMail, "not_sent not_sent"}} {
		t.Run("while waiting at "+string(c.stage), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := &toy{answer: at(0, c.stage, hang)}
				begin := time.Now()
				if got := send(ctx, t, s.relay(t, Config{}, 1), messages(t, 2)); kinds(got) != c.want {
					t.Errorf("%v, want %s", got, c.want)
				}
				if took := time.Since(begin); took != time.Minute+DefaultLimits().Grace {
					t.Errorf("returned after %v", took)
				}
			})
		})
	}
}

// D4: once it is too late, no further message begins, though its envelope went
// ahead; the one under way goes on to its end, and a connection in good order is kept.
func TestLate(t *testing.T) {
	for _, c := range []struct {
		name   string
		offers []string
		late   int // the message during which it becomes late; -1: before the first
		want   string
		mails  string
		conns  int // with those of the window that follows
	}{
		{"before the first", nil, -1, "not_sent not_sent not_sent", "", 1},
		{"during the first, the next went ahead", nil, 0, "accepted not_sent not_sent", "0", 2},
		{"during the first, one by one", []string{}, 0, "accepted not_sent not_sent", "0", 1},
		{"during the last", nil, 2, "accepted accepted accepted", "0 1 2", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var late atomic.Bool
			late.Store(c.late < 0)
			s := &toy{offers: c.offers, answer: func(_, msg int, stage Stage) string {
				if msg == c.late && stage == StageDot {
					late.Store(true)
				}
				return ""
			}}
			r, w := s.relay(t, Config{}, 1), messages(t, 3)
			outcomes := sendUntil(t.Context(), t, r, w, late.Load)
			if got := kinds(outcomes); got != c.want {
				t.Errorf("outcomes %q, want %q: %v", got, c.want, outcomes)
			}
			for i, o := range outcomes {
				if o.Kind == NotSent && (o.Stage != "" || !errors.Is(o.Err, errLate)) {
					t.Errorf("message %d, whose turn never came, is %v", i, o)
				}
			}
			if got := s.copies(t, w); got != c.mails {
				t.Errorf("the relay has %q, want %q", got, c.mails)
			}
			if got := kinds(send(t.Context(), t, r, w[:1])); got != "accepted" || s.conns != c.conns {
				t.Errorf("the next window: %s; %d connections, want %d", got, s.conns, c.conns)
			}
		})
	}
}

// A relay that refuses us is not waited for.
func TestNoWaitAfterRefusal(t *testing.T) {
	for answer, want := range map[string]string{"421 4.3.2 closing": "us not_sent", "350 go on": "not_sent not_sent"} {
		synctest.Test(t, func(t *testing.T) {
			s := &toy{always: true, answer: func(_, _ int, stage Stage) string {
				return map[Stage]string{StageRcpt: answer, StageData: hang}[stage]
			}}
			begin := time.Now()
			if got := kinds(send(t.Context(), t, s.relay(t, Config{}, 1), messages(t, 2))); got != want || time.Since(begin) > 0 {
				t.Errorf("%s: %s after %s", answer, got, time.Since(begin))
			}
		})
	}
}

// A dialogue out of step ends without a word: the relay might take further bytes for a
// mail.
func TestNoQuitOutOfStep(t *testing.T) {
	for _, c := range []struct {
		stage  Stage
		answer string
	}{{StageDot, "354 go on"}, {StageDot, "huh"}, {StageDot, "421 4.3.2 closing"}, {StageMail, "hello"}, {StageMail, "421 4.7.0 no more"}} {
		s := &toy{offers: []string{}, answer: at(1, c.stage, c.answer)}
		r := s.relay(t, Config{}, 1)
		got := send(t.Context(), t, r, messages(t, 2))[1]
		r.Close()
		s.open.Wait()
		if n := s.verbs("QUIT"); n != 0 || got.Code != 421 && !errors.Is(got.Err, errReply) {
			t.Errorf("after %q at %s: %d QUIT, %v", c.answer, c.stage, n, got)
		}
	}
}

// A client waits a second for the answer to QUIT, and not at all when it is told to
// stop.
func TestQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &toy{offers: []string{}, answer: func(_, _ int, stage Stage) string { return map[Stage]string{stageQuit: hang}[stage] }}
		r := s.relay(t, Config{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		handOver(ctx, r, messages(t, 2), nil, func(int, Outcome) { cancel(); synctest.Wait() })
		if took := time.Since(begin); took != quitWait || s.verbs("QUIT") != 1 {
			t.Errorf("told to stop: %s, %d QUIT", took, s.verbs("QUIT"))
		}
		send(t.Context(), t, r, messages(t, 1))
		begin = time.Now()
		r.Close()
		if took := time.Since(begin); took != time.Second || s.verbs("QUIT") != 2 {
			t.Errorf("closed: %s, %d QUIT", took, s.verbs("QUIT"))
		}
	})
}

// I8: a kept connection does not keep the room that one large mail took.
func TestLargeMailIsForgotten(t *testing.T) {
	r, w := (&toy{}).relay(t, Config{}, 1), messages(t, 1)
	w[0].Body = bytes.Repeat([]byte("0123456789\r\n"), maxKept/8)
	if got := kinds(send(t.Context(), t, r, w)); got != "accepted" || cap(r.idle[0].out) > maxKept {
		t.Errorf("%s, and %d bytes are kept", got, cap(r.idle[0].out))
	}
}

// Once closed, nothing is sent, and the kept connections are ended. A client that
// is allowed no connection has one.
func TestClosed(t *testing.T) {
	s := &toy{}
	r := s.relay(t, Config{}, 0)
	send(t.Context(), t, r, messages(t, 1))
	r.Close()
	if n := s.verbs("QUIT"); n != 1 {
		t.Errorf("%d QUIT", n)
	}
	if got := send(t.Context(), t, r, messages(t, 2)); kinds(got) != "not_sent not_sent" || !errors.Is(got[1].Err, errClosed) || s.conns != 1 {
		t.Errorf("%v over %d connections", got, s.conns)
	}
}

// A window under way as the client is closed goes on; its connection is not kept.
func TestClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *Client
		s := &toy{answer: func(_, msg int, stage Stage) string {
			if msg == 0 && stage == StageDot {
				r.Close()
			}
			return ""
		}}
		r = s.relay(t, Config{}, 1)
		if got := kinds(send(t.Context(), t, r, messages(t, 2))); got != "accepted accepted" {
			t.Error(got)
		}
		synctest.Wait()
		if s.verbs("QUIT") != 1 {
			t.Error("the connection is kept")
		}
	})
}

// I8: an answer may be neither endless nor one endless line.
func TestAnswersAreBounded(t *testing.T) {
	for _, answer := range []string{babble, "250 " + strings.Repeat("x", maxReply)} {
		s := &toy{answer: at(0, StageMail, answer)}
		if got := send(t.Context(), t, s.relay(t, Config{}, 1), messages(t, 1)); !errors.Is(got[0].Err, errReplySize) {
			t.Errorf("%v", got)
		}
	}
}

// I5: a fault of our own code costs the message that met it: it is in doubt only
// if its dot may have been written. Nothing is left running, and the relay goes on.
func TestPanic(t *testing.T) {
	w := messages(t, 3)
	for _, c := range []struct {
		at   string // what the client writes when it panics
		want string
	}{
		{"RCPT TO:<client1@", "accepted not_sent not_sent"},
		{"end of 1", "accepted in_doubt not_sent"},
	} {
		s := &toy{offers: []string{}}
		r := s.relay(t, Config{}, 1)
		r.cfg.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := s.dial(ctx, network, address)
			return panicking{conn, c.at}, err
		}
		got := send(t.Context(), t, r, w)
		if kinds(got) != c.want || !errors.As(got[1].Err, new(*PanicError)) {
			t.Errorf("a panic at %q: %v", c.at, got)
		}
		r.cfg.dial = s.dial
		if got := send(t.Context(), t, r, w[2:]); kinds(got) != "accepted" {
			t.Errorf("after a panic at %q: %v", c.at, got)
		}
	}
	r := (&toy{}).relay(t, Config{}, 1)
	r.cfg.dial = func(context.Context, string, string) (net.Conn, error) { panic("no") }
	if got := send(t.Context(), t, r, w); kinds(got) != "us not_sent not_sent" {
		t.Errorf("a panic at connect: %v", got)
	}
}

// panicking is a connection that panics when some text is written.
type panicking struct {
	net.Conn
	at string
}

func (p panicking) Write(b []byte) (int, error) {
	if strings.Contains(string(b), p.at) {
		panic("written")
	}
	return p.Conn.Write(b)
}
