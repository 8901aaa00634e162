package smtp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bascule/internal/conversion"
)

// asking are messages m0@, m1@, … that ask for reports.
func asking(t testing.TB, n int) []Message {
	t.Helper()
	out := messages(t, n)
	for i := range out {
		out[i].EnvelopeID = fmt.Sprintf("%d.1", i)
	}
	return out
}

// D11: a relay that offers DSN is asked for reports of failure and delay, with an
// id that names no address, pipelined or not; a relay that does not is not asked,
// nor is one for a mail without return path or without id.
func TestDSN(t *testing.T) {
	for _, test := range []struct {
		name   string
		offers []string
		change func(*Message)
		mail   string
		rcpt   string
	}{
		{"offered", []string{"DSN"}, nil, "MAIL FROM:<m0@us.example> RET=HDRS ENVID=0.1", "RCPT TO:<client0@client.example> NOTIFY=FAILURE,DELAY"},
		{"offered, pipelined", []string{"PIPELINING", "dsn"}, nil, "MAIL FROM:<m0@us.example> RET=HDRS ENVID=0.1", "RCPT TO:<client0@client.example> NOTIFY=FAILURE,DELAY"},
		{"xtext", []string{"DSN"}, func(o *Message) { o.EnvelopeID = "a+b=c dé" }, "MAIL FROM:<m0@us.example> RET=HDRS ENVID=a+2Bb+3Dc+20d+C3+A9", "RCPT TO:<client0@client.example> NOTIFY=FAILURE,DELAY"},
		{"not offered", []string{"PIPELINING", "XDSN"}, nil, "MAIL FROM:<m0@us.example>", "RCPT TO:<client0@client.example>"},
		{"no id", []string{"DSN"}, func(o *Message) { o.EnvelopeID = "" }, "MAIL FROM:<m0@us.example>", "RCPT TO:<client0@client.example>"},
		{"null return path", []string{"DSN"}, func(o *Message) { o.From = conversion.Email{} }, "MAIL FROM:<>", "RCPT TO:<client0@client.example>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &toy{offers: test.offers}
			window := asking(t, 3)
			for i := range window {
				if test.change != nil {
					test.change(&window[i])
				}
			}
			got := send(t.Context(), t, s.relay(t, Config{}, 1), window)
			for i, o := range got {
				if o.Kind != Accepted {
					t.Errorf("message %d: %s", i, o)
				}
			}
			if len(s.mails) != 3 || len(s.lines) != 6 || s.lines[0] != test.mail || s.lines[1] != test.rcpt {
				t.Errorf("%d mails by %q, want %q and %q", len(s.mails), s.lines, test.mail, test.rcpt)
			}
		})
	}
}

// D11: a relay that offers DSN and then refuses to be asked gets its mail without,
// for that connection; a refusal that names the recipient is the recipient's, and
// one that stands without asking too is what it was.
func TestDSNRefused(t *testing.T) {
	for _, test := range []struct {
		stage    Stage
		words    string
		want     Kind
		mails    int
		unasking int // lines of the envelope without parameters
	}{
		{StageMail, "555 5.5.4 unsupported parameter", Accepted, 3, 6},
		{StageMail, "501 5.5.4 syntax", Accepted, 3, 6},
		{StageRcpt, "501 bad parameter", Accepted, 3, 6},
		{StageRcpt, "504 5.5.4 no such parameter", Accepted, 3, 6},
		{StageRcpt, "501 5.1.3 bad address", Person, 0, 0},
		{StageRcpt, "550 5.7.1 no", Unclear, 0, 0},
		{StageData, "555 5.5.4 unsupported parameter", Unclear, 0, 0}, // DATA has none
	} {
		for _, pipelining := range []string{"PIPELINING", "X-NONE"} {
			t.Run(test.words+" "+pipelining, func(t *testing.T) {
				s := &toy{offers: []string{pipelining, "DSN"}, strict: test.stage, strictly: test.words}
				if test.stage == StageData {
					s.answer = func(_, _ int, stage Stage) string {
						if stage == StageData {
							return test.words
						}
						return ""
					}
				}
				for i, o := range send(t.Context(), t, s.relay(t, Config{}, 1), asking(t, 3)) {
					if o.Kind != test.want {
						t.Errorf("message %d: %s, want %s", i, o, test.want)
					}
				}
				plain := len(slices.DeleteFunc(slices.Clone(s.lines), func(l string) bool { return !strings.HasSuffix(l, ">") }))
				if len(s.mails) != test.mails || plain != test.unasking || test.mails > 0 && s.conns != 1 {
					t.Errorf("%d mails, %d lines without parameters, %d connections: %q", len(s.mails), plain, s.conns, s.lines)
				}
			})
		}
	}
}

// An envelope that requests DSNs does not go ahead before the relay took one, also
// behind a message that requests none.
func TestDSNRefusedBehind(t *testing.T) {
	s := &toy{offers: []string{"PIPELINING", "DSN"}, strict: StageMail, strictly: "555 5.5.4 unsupported parameter"}
	w := asking(t, 3)
	w[0].EnvelopeID = ""
	if got := kinds(send(t.Context(), t, s.relay(t, Config{}, 1), w)); got != "accepted accepted accepted" || s.conns != 1 {
		t.Errorf("%s over %d connections", got, s.conns)
	}
}

// D11: a relay that accepted an envelope with a request for reports refuses something
// else later. The refusal is told once, and the other messages go on.
func TestDSNTaken(t *testing.T) {
	for _, stage := range []Stage{StageMail, StageRcpt} {
		for _, pipelining := range []string{"PIPELINING", "X-NONE"} {
			s := &toy{offers: []string{pipelining, "DSN"}, answer: at(1, stage, "501 5.5.2 syntax")}
			r := s.relay(t, Config{}, 1)
			got := send(t.Context(), t, r, asking(t, 3))
			r.Close()
			s.open.Wait() // until all that went ahead is noted
			want := map[Stage]string{StageMail: "accepted us not_sent", StageRcpt: "accepted unclear accepted"}[stage]
			if kinds(got) != want || slices.ContainsFunc(s.lines, func(l string) bool { return strings.HasSuffix(l, ">") }) {
				t.Errorf("%s, %s: %v by %q", stage, pipelining, got, s.lines)
			}
		}
	}
}
