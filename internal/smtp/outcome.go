package smtp

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"

	"bascule/internal/refusal"
)

// Kind is the fate of one message, and so whose fault it is (D11).
type Kind int

// The kinds of outcome. Only Accepted, Person, Unclear and Later are the
// relay's word about this very message.
const (
	// Accepted: the relay answered 2xx to the final dot.
	Accepted Kind = iota + 1
	// Us: the relay refuses us, or cannot be reached. That says nothing of the message.
	Us
	// Person: this recipient is refused for good.
	Person
	// Unclear: a refusal for good that may be about us as well as about the recipient.
	Unclear
	// Later: a refusal for now.
	Later
	// NotSent: the message was certainly not handed over, as the final dot was never
	// written.
	NotSent
	// InDoubt: the final dot was written, and no reply that we understand came back.
	// The relay may have the message or not.
	InDoubt
)

var kindNames = [...]string{Accepted: "accepted", Us: "us", Person: "person", Unclear: "unclear", Later: "later", NotSent: "not_sent", InDoubt: "in_doubt"}

// String is the name of the kind in logs and metrics.
func (k Kind) String() string { return cmp.Or(kindNames[k], "none") }

// Stage is a step of the dialogue with the relay.
type Stage string

// The stages, in order.
const (
	StageConnect Stage = "connect" // until the greeting
	StageEhlo    Stage = "ehlo"
	StageTLS     Stage = "tls"
	StageAuth    Stage = "auth"
	StageMail    Stage = "mail"
	StageRcpt    Stage = "rcpt"
	StageData    Stage = "data"
	StageDot     Stage = "dot"
)

// OfMessage tells whether the stage is about one message and its recipient.
func (s Stage) OfMessage() bool { return s == StageRcpt || s == StageData || s == StageDot }

// Outcome is the fate of one message. The zero Outcome means that the dialogue goes on;
// [Client.Send] never reports it.
type Outcome struct {
	Kind     Kind
	Stage    Stage  // the stage that decided it; "" if the message's turn never came
	Code     int    // the relay's reply, 0 without one
	Enhanced string // its enhanced status code (RFC 3463), such as 5.1.1, or ""
	Text     string // its words, if it refuses: one line, at most 200 characters, addresses and codes masked (I6)
	Err      error  // a failure on our side or on the wire; nil if the relay answered
}

// String tells the outcome in one line fit for a log (I6). Operators read it in
// `status` too, as the reason why no mail leaves.
func (o Outcome) String() string {
	if o.Stage == StageAuth && o.Code/100 == 5 {
		code := strings.TrimSpace(fmt.Sprint(o.Code, " ", o.Enhanced))
		return strings.TrimSpace("the relay refused user and password of SMTP_URL (" + code + ") " + o.Text)
	}
	s := o.Kind.String()
	if o.Stage != "" {
		s += " at " + string(o.Stage)
	}
	if o.Code != 0 {
		s += fmt.Sprint(" ", o.Code)
	}
	for _, more := range []string{o.Enhanced, o.Text} {
		if more != "" {
			s += " " + more
		}
	}
	if o.Err != nil {
		s += ": " + sanitize(o.Err.Error(), Message{}) // it may quote the relay
	}
	return s
}

// LogValue logs the outcome as String tells it.
func (o Outcome) LogValue() slog.Value { return slog.StringValue(o.String()) }

// classify is D11 as one total table: it gives the kind of outcome for a reply that ends
// a message. Where D11 is silent:
//   - A reply to DATA is about the message, never about the recipient: 4xx is
//     Later, 5xx Unclear.
//   - A status code of another class than the reply's (550 4.1.1, 450 5.1.1)
//     contradicts it. The reply code decides whether the refusal is for good, and
//     the status code clears up nothing: Later or Unclear.
//   - 5.2.3 (message too large) and codes of the family X.2.x that D11 does not name
//     do not say that the mailbox is gone: Unclear.
//   - 5.1.7, 5.1.8 and Microsoft's 5.1.20 and 5.1.90 (our quota of a day) name the
//     sender, that is us, though they stand in the family X.1.x: Unclear. A sender
//     domain missing from DNS for an hour must not make a whole batch undeliverable.
//   - Servers give the code of a bad address to other reasons, too, and name them: see
//     [byWords].
//   - A reply that no rule knows (1xx, 3xx at the dot, 2xx in place of 354)
//     leaves us out of step with the relay: in doubt after the dot, else not sent.
func classify(stage Stage, code int, enhanced string) Kind {
	switch {
	case code == 421 || code == 530 || code == 535:
		return Us
	case !stage.OfMessage():
		return Us
	case stage == StageDot && code/100 == 2:
		return Accepted
	case code/100 == 4:
		return Later
	case code/100 == 5 && stage != StageData && enhanced == mailboxFull:
		return Later
	case code/100 == 5 && stage != StageData && aboutRecipient(enhanced):
		return Person
	case code/100 == 5:
		return Unclear
	case stage == StageDot:
		return InDoubt
	}
	return NotSent
}

// mailboxFull is no reason to give a person up: its owner empties a mailbox.
const mailboxFull = "5.2.2"

// aboutRecipient tells whether a code says that the recipient's address is bad.
func aboutRecipient(enhanced string) bool {
	switch enhanced {
	case "5.1.7", "5.1.8", "5.1.20", "5.1.90":
		return false
	case "5.2.0", "5.2.1", "5.2.4":
		return true
	}
	return strings.HasPrefix(enhanced, "5.1.")
}

// byWords is the kind of a refusal by the code of a bad address, once its words are heard: the
// mailbox may be full, or the mail or its sender not liked. 5.2.0 tells of no reason at all,
// and Orange gives it to spam. An address does not count as words: they are without.
func byWords(enhanced, words string) Kind {
	reason := refusal.Of(words)
	switch {
	case reason == refusal.Full:
		return Later
	case reason == refusal.Us, reason == refusal.Content, reason == refusal.Policy && enhanced == "5.2.0":
		return Unclear
	}
	return Person
}

// brokenOff is the outcome of a message whose dialogue ended before the relay answered.
func brokenOff(stage Stage, err error) Outcome {
	kind := Us
	switch stage {
	case StageRcpt, StageData:
		kind = NotSent
	case StageDot:
		kind = InDoubt
	}
	return Outcome{Kind: kind, Stage: stage, Err: err}
}
