package devenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// An Inbox is an SMTP server that takes every mail, delivers none, and shows
// them in the browser.
type Inbox struct {
	listener net.Listener
	server   *smtp.Server
	served   chan struct{} // closed once the server has ended

	mu       sync.Mutex
	messages []Message // oldest first, without gaps in their numbers
	last     int       // number of the newest message ever taken
	bytes    int64     // of the messages held
	limit    int64
	reject   func(recipient string) error
	dir      string        // where mails are kept, "" for nowhere
	arrived  chan struct{} // closed and replaced by each message
}

// A Message is one mail as it came, with its envelope.
type Message struct {
	ID         int // 1 for the first mail taken
	Received   time.Time
	From       string // of the envelope
	Recipients []string
	Raw        []byte // shared: not to be changed
}

const (
	// inboxLimit is how many bytes of mails are kept without SetLimit (I8): some thirty
	// thousand of our mails.
	inboxLimit = 256 << 20
	// maxMessage refuses a mail that is none of ours.
	maxMessage = 32 << 20
	// inboxTimeout ends idle connections. It is longer than a sender keeps a connection
	// open between two windows of mails.
	inboxTimeout = 10 * time.Minute
)

// StartInbox starts an inbox on a loopback port of its own. It runs until Stop.
func StartInbox(ctx context.Context) (*Inbox, error) {
	in := &Inbox{limit: inboxLimit, arrived: make(chan struct{}), served: make(chan struct{})}
	var err error
	if in.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	in.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{inbox: in}, nil }))
	in.server.Domain = "localhost"
	in.server.MaxMessageBytes = maxMessage
	in.server.ReadTimeout = inboxTimeout
	in.server.WriteTimeout = inboxTimeout
	in.server.ErrorLog = log.New(io.Discard, "", 0) // broken connections: the sender tells
	go func() {
		defer close(in.served)
		_ = in.server.Serve(in.listener) // ends with Stop
	}()
	return in, nil
}

// URL is the address for SMTP_URL.
func (in *Inbox) URL() string { return "smtp://" + in.listener.Addr().String() + "?starttls=off" }

// Stop breaks every connection. The messages can still be read. The caller may call it
// again.
func (in *Inbox) Stop() {
	in.listener.Close()
	in.server.Close()
	<-in.served
}

// SetLimit sets how many bytes of mails are kept; older mails make room for new
// ones. The newest is always kept.
func (in *Inbox) SetLimit(bytes int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.limit = bytes
	in.makeRoom()
}

// SetReject makes the inbox ask reject about every recipient. An error refuses the
// recipient, with the answer that Refusal describes or with 550 5.1.1. A nil function
// accepts all.
func (in *Inbox) SetReject(reject func(recipient string) error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reject = reject
}

// Refusal is an SMTP answer for SetReject, such as Refusal(451, [3]int{4, 2, 2}, "mailbox full").
func Refusal(code int, enhanced [3]int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// Messages returns the mails held, oldest first.
func (in *Inbox) Messages() []Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.messages)
}

// Count is how many mails ever came, with those dropped since.
func (in *Inbox) Count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.last
}

// Message returns the mail of that number, if it is still held.
func (in *Inbox) Message(id int) (Message, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := id - (in.last - len(in.messages)) - 1
	if i < 0 || i >= len(in.messages) {
		return Message{}, false
	}
	return in.messages[i], true
}

// Wait returns the first mail that matches, among those held and later ones. match sees
// each mail once. If ctx ends first, Wait returns its error.
func (in *Inbox) Wait(ctx context.Context, match func(Message) bool) (Message, error) {
	seen := 0
	for {
		messages, last, arrived := in.after(seen)
		for _, m := range messages {
			if match(m) {
				return m, nil
			}
		}
		seen = last
		select {
		case <-ctx.Done():
			return Message{}, fmt.Errorf("inbox: none of %d mails is the one awaited: %w", seen, ctx.Err())
		case <-arrived:
		}
	}
}

// after returns the mails held that came after number id, the newest number, and a
// channel that closes at the next arrival.
func (in *Inbox) after(id int) ([]Message, int, <-chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(in.last-id, len(in.messages))
	return slices.Clone(in.messages[len(in.messages)-n:]), in.last, in.arrived
}

func (in *Inbox) add(m Message) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.ID = in.last + 1
	if err := in.keep(m); err != nil {
		return err
	}
	in.last = m.ID
	in.messages = append(in.messages, m)
	in.bytes += int64(len(m.Raw))
	in.makeRoom()
	close(in.arrived)
	in.arrived = make(chan struct{})
	return nil
}

func (in *Inbox) makeRoom() {
	for in.bytes > in.limit && len(in.messages) > 1 {
		in.bytes -= int64(len(in.messages[0].Raw))
		in.messages[0] = Message{} // the array outlives the slice
		in.messages = in.messages[1:]
	}
}

func (m Message) fileName() string { return fmt.Sprintf("%06d.eml", m.ID) }

// A session is one SMTP connection.
type session struct {
	inbox      *Inbox
	from       string
	recipients []string
}

func (s *session) Reset()        { s.from, s.recipients = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.inbox.mu.Lock()
	reject := s.inbox.reject
	s.inbox.mu.Unlock()
	if reject != nil {
		if err := reject(to); err != nil {
			return asRefusal(err)
		}
	}
	s.recipients = append(s.recipients, to)
	return nil
}

func asRefusal(err error) error {
	if refusal, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return refusal
	}
	return Refusal(550, [3]int{5, 1, 1}, err.Error())
}

// Data keeps a message only if it came to its final dot.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.inbox.add(Message{Received: time.Now(), From: s.from, Recipients: s.recipients, Raw: raw})
}
