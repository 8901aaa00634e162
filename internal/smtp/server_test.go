package smtp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"bascule/internal/devenv/devtest"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// inbox is a well-behaved relay.
type inbox struct {
	mu    sync.Mutex
	mails map[string]string // by recipient
	twice int
}

type inboxSession struct {
	inbox *inbox
	auth  bool
	to    string
	ok    bool
}

func (s *inboxSession) Reset()        { s.to = "" }
func (s *inboxSession) Logout() error { return nil }

func (s *inboxSession) Mail(string, *smtp.MailOptions) error {
	if s.auth && !s.ok {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *inboxSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *inboxSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	if _, ok := s.inbox.mails[s.to]; ok {
		s.inbox.twice++
	}
	s.inbox.mails[s.to] = string(b)
	return nil
}

type authSession struct{ inboxSession }

func (s *authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *authSession) Auth(string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "us@firm.example" || password != "hunter22" {
			return smtp.ErrAuthFailed
		}
		s.ok = true
		return nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// serve starts the inbox on a loopback port and returns where.
func (b *inbox) serve(t testing.TB, auth bool, cert *tls.Certificate, implicit bool) Config {
	b.mails = make(map[string]string)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		s := inboxSession{inbox: b, auth: auth}
		if auth {
			return &authSession{s}, nil
		}
		return &s, nil
	}))
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.Domain, server.AllowInsecureAuth = "relay.example", true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if cert != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
		if implicit {
			l = tls.NewListener(l, server.TLSConfig)
			server.TLSConfig = nil
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		<-done
	})
	host, port, _ := net.SplitHostPort(l.Addr().String())
	return Config{Host: host, Port: port}
}

// certified is a certificate of 127.0.0.1 and the pool that trusts it.
func certified(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	authority := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple"})
	cert, err := authority.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.Certificate())
	return cert, pool
}

// Every way of encrypting and of proving who we are, against a relay of another make.
func TestEncryptionAndAuth(t *testing.T) {
	own, pool := certified(t)
	cert := &own
	good, bad := &Credentials{"us@firm.example", "hunter22"}, &Credentials{"us@firm.example", "wrong"}
	for _, c := range []struct {
		name     string
		cert     *tls.Certificate
		implicit bool
		auth     bool // the relay asks for it
		mode     TLSMode
		creds    *Credentials
		trusted  bool
		kind     Kind
		stage    Stage
		err      error
	}{
		{name: "clear", mode: TLSOff, kind: Accepted, stage: StageDot},
		{name: "required and offered", cert: cert, mode: TLSRequired, trusted: true, kind: Accepted, stage: StageDot},
		{name: "required, not offered", mode: TLSRequired, kind: Us, stage: StageTLS, err: errNoTLS},
		{name: "optional, not offered", mode: TLSOptional, kind: Accepted, stage: StageDot},
		{name: "optional and offered", cert: cert, mode: TLSOptional, trusted: true, kind: Accepted, stage: StageDot},
		{name: "unknown authority", cert: cert, mode: TLSRequired, kind: Us, stage: StageTLS},
		{name: "unknown authority, optional", cert: cert, mode: TLSOptional, kind: Us, stage: StageTLS},
		{name: "implicit", cert: cert, implicit: true, mode: TLSImplicit, trusted: true, kind: Accepted, stage: StageDot},
		{name: "implicit, unknown authority", cert: cert, implicit: true, mode: TLSImplicit, kind: Us, stage: StageTLS},
		{name: "credentials", cert: cert, auth: true, mode: TLSRequired, creds: good, trusted: true, kind: Accepted, stage: StageDot},
		{name: "credentials on loopback", auth: true, mode: TLSOptional, creds: good, kind: Accepted, stage: StageDot},
		{name: "wrong credentials", cert: cert, auth: true, mode: TLSRequired, creds: bad, trusted: true, kind: Us, stage: StageAuth},
		{name: "credentials missing", cert: cert, auth: true, mode: TLSRequired, trusted: true, kind: Us, stage: StageMail},
		{name: "credentials not wanted", mode: TLSOff, creds: good, kind: Us, stage: StageAuth, err: errNoAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b inbox
			cfg := b.serve(t, c.auth, c.cert, c.implicit)
			cfg.TLS, cfg.Auth = c.mode, c.creds
			if c.trusted {
				cfg.RootCAs = pool
			}
			r := NewClient(cfg, 1)
			defer r.Close()
			w := messages(t, 2)
			got := send(t.Context(), t, r, w)
			if got[0].Kind != c.kind || got[0].Stage != c.stage || c.err != nil && !errors.Is(got[0].Err, c.err) {
				t.Errorf("%v, want %v at %s", got, c.kind, c.stage)
			}
			if c.kind == Accepted && (kinds(got) != "accepted accepted" || len(b.mails) != 2) {
				t.Errorf("%v, the relay has %d", got, len(b.mails))
			}
			if strings.Contains(fmt.Sprint(got), "hunter22") || strings.Contains(fmt.Sprint(got), "firm") {
				t.Errorf("tells the credentials: %v", got)
			}
		})
	}
}

// I6: the names in a certificate are words of the relay too: they come on one short
// line, without control characters and addresses.
func TestNamesInCertificate(t *testing.T) {
	names := []string{"a\x1b[2Jb", "jeanne@client.example\nc"}
	for i := range 30 {
		names = append(names, fmt.Sprintf("relay%d.example", i))
	}
	cert, err := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple"}).IssueServer(names)
	if err != nil {
		t.Fatal(err)
	}
	var b inbox
	cfg := b.serve(t, false, &cert, true)
	cfg.Host, cfg.TLS = "localhost", TLSImplicit
	r := NewClient(cfg, 1)
	defer r.Close()
	said := send(t.Context(), t, r, messages(t, 1))[0].String()
	if !strings.Contains(said, "certificate is valid for") || strings.ContainsAny(said, "\n\x1b@") || utf8.RuneCountInString(said) > maxText+40 {
		t.Errorf("%d characters: %q", utf8.RuneCountInString(said), said)
	}
}

// Under TLS too nothing is written once the dialogue is out of step.
func TestNothingWrittenOutOfStep(t *testing.T) {
	cert, pool := certified(t)
	var b inbox
	cfg := b.serve(t, true, &cert, false)
	count := &countingDial{dial: (&net.Dialer{}).DialContext}
	cfg.TLS, cfg.RootCAs, cfg.dial = TLSRequired, pool, count.connect
	r := NewClient(cfg, 1)
	defer r.Close()
	var writes int
	handOver(t.Context(), r, messages(t, 1), nil, func(_ int, o Outcome) { writes = count.writes })
	if count.writes != writes || count.open != 0 {
		t.Errorf("%d writes after a refusal, %d connections", count.writes-writes, count.open)
	}
}

// A relay that speaks an outdated TLS alone gets no mail.
func TestOutdatedTLS(t *testing.T) {
	cert, pool := certified(t)
	for version, want := range map[uint16]Kind{tls.VersionTLS11: Us, tls.VersionTLS12: 0} {
		client, server := net.Pipe()
		var relay sync.WaitGroup
		relay.Go(func() {
			defer server.Close()
			tls.Server(server, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: version}).Handshake()
		})
		s := &session{raw: client, limits: DefaultLimits()}
		if o := s.handshake(Config{Host: "127.0.0.1", RootCAs: pool}); o.Kind != want || want == Us && o.Stage != StageTLS {
			t.Errorf("%s: %v, want %v", tls.VersionName(version), o, want)
		}
		client.Close()
		relay.Wait()
	}
}

// Credentials never leave over a connection that others can read, however the
// relay asks for them.
func TestNoCredentialsInClear(t *testing.T) {
	s := &toy{offers: []string{"AUTH PLAIN LOGIN CRAM-MD5"}}
	r := s.relay(t, Config{TLS: TLSOptional, Auth: &Credentials{"us", "hunter22"}}, 1)
	got := send(t.Context(), t, r, messages(t, 1))
	if got[0].Kind != Us || !errors.Is(got[0].Err, errClearText) || s.verbs("AUTH") != 0 {
		t.Errorf("%v, %d AUTH", got, s.verbs("AUTH"))
	}
	s = &toy{offers: []string{"STARTTLS", "AUTH PLAIN"}, answer: at(-1, StageEhlo, "")}
	r = s.relay(t, Config{TLS: TLSRequired, Auth: &Credentials{"us", "hunter22"}}, 1)
	if got := send(t.Context(), t, r, messages(t, 1)); got[0].Kind != Us || got[0].Stage != StageTLS || s.verbs("AUTH") != 0 {
		t.Errorf("%v, %d AUTH", got, s.verbs("AUTH"))
	}
}

// The three mechanisms, word by word; in clear text the one that tells no password comes first.
func TestMechanisms(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct{ offer, dialogue string }{
		{"AUTH LOGIN PLAIN CRAM-MD5", "CRAM-MD5 tim b913a602c7eda7a495b4e6e7334d3890"}, // RFC 2195
		{"AUTH=LOGIN PLAIN", "PLAIN \x00tim\x00tanstaaftanstaaf"},
		{"AUTH LOGIN", "LOGIN tim tanstaaftanstaaf"},
	} {
		client, server := net.Pipe()
		var words []string
		var wg sync.WaitGroup
		wg.Go(func() {
			defer server.Close()
			in := textproto.NewConn(server)
			in.PrintfLine("220 hi")
			in.ReadLine()
			in.PrintfLine("250-hi\r\n250 %s", c.offer)
			line, _ := in.ReadLine()
			fields := strings.Fields(line)
			words = append(words, fields[1])
			fields = fields[2:]
			challenges := map[string][]string{"CRAM-MD5": {"<1896.697170952@postoffice.reston.mci.net>"}, "LOGIN": {"Username:", "Password:"}}[words[0]]
			for _, ch := range challenges {
				in.PrintfLine("334 %s", encode(ch))
				line, _ := in.ReadLine()
				fields = append(fields, line)
			}
			for _, f := range fields {
				b, _ := base64.StdEncoding.DecodeString(f)
				words = append(words, string(b))
			}
			in.PrintfLine("535 5.7.8 AUTH %s failed", line)
		})
		cfg := Config{TLS: TLSOff, Auth: &Credentials{"tim", "tanstaaftanstaaf"}, Limits: DefaultLimits(),
			dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
		s, o := connect(t.Context(), cfg)
		wg.Wait()
		if got := strings.Join(words, " "); s != nil || got != c.dialogue || o.Kind != Us || o.Code != 535 || o.Text != "" {
			t.Errorf("%s: said %q, want %q; %v", c.offer, got, c.dialogue, o)
		}
	}
}

// An attacker between us and the relay puts answers behind the one to STARTTLS:
// they must not be taken for the encrypted relay's.
func TestStartTLSInjection(t *testing.T) {
	s, o, _ := converse(t, Config{TLS: TLSRequired}, "220 hi", "250-hi\r\n250 STARTTLS", "220 go\r\n250-evil\r\n250 AUTH PLAIN")
	if s != nil || o.Kind != Us || !errors.Is(o.Err, errInjection) {
		t.Errorf("%v", o)
	}
}

// A relay that offers STARTTLS and then refuses it gets no mail, also where
// encryption is optional.
func TestStartTLSRefused(t *testing.T) {
	for _, mode := range []TLSMode{TLSRequired, TLSOptional} {
		s, o, _ := converse(t, Config{TLS: mode}, "220 hi", "250-hi\r\n250 STARTTLS", "454 4.7.0 later", "250 hi")
		if s != nil || o.Kind != Us || o.Stage != StageTLS || o.Code != 454 {
			t.Errorf("%s: %v", mode, o)
		}
	}
}

// converse connects to a relay that says these replies, the first one unasked, each
// other one to a line, and then hangs up. It returns the lines too.
func converse(t testing.TB, cfg Config, replies ...string) (s *session, o Outcome, lines []string) {
	t.Helper()
	client, server := net.Pipe()
	var relay sync.WaitGroup
	relay.Go(func() {
		defer server.Close()
		conn := textproto.NewConn(server)
		for i, reply := range replies {
			if i > 0 {
				line, err := conn.ReadLine()
				if err != nil {
					return
				}
				lines = append(lines, line)
			}
			conn.PrintfLine("%s", reply)
		}
	})
	cfg.Limits, cfg.dial = DefaultLimits(), func(context.Context, string, string) (net.Conn, error) { return client, nil }
	s, o = connect(t.Context(), cfg)
	relay.Wait()
	return s, o, lines
}

// A reply to AUTH that is none ends it: it is not taken for success, and no relay
// asks for ever.
func TestAuthOutOfStep(t *testing.T) {
	login := &Credentials{"tim", "tanstaaftanstaaf"}
	asks := slices.Repeat([]string{"334 VXNlcm5hbWU6"}, 9)
	for _, c := range []struct {
		replies []string
		code    int
		lines   int // EHLO included
	}{{[]string{"250 ok", "221 bye"}, 250, 2}, {[]string{"354 "}, 354, 2}, {[]string{"334 ****", "535 no"}, 0, 2}, {asks, 0, 4}} {
		replies := append([]string{"220 hi", "250-hi\r\n250 AUTH LOGIN"}, c.replies...)
		s, o, lines := converse(t, Config{TLS: TLSOff, Auth: login}, replies...)
		if s != nil || o.Kind != Us || o.Stage != StageAuth || o.Code != c.code || len(lines) != c.lines {
			t.Errorf("%q: %v after %d lines", c.replies, o, len(lines))
		}
	}
}

// A relay's own name is no extension, and the case of an extension does not matter. A
// malformed limit is none.
func TestExtensions(t *testing.T) {
	for reply, want := range map[string]extensions{
		"250 PIPELINING": {},
		"250-hi\r\n250-pipelining\r\n250-Size 99\r\n250 dsn":       {pipelining: true, size: 99, dsn: true},
		"250-hi\r\n250-SIZE\r\n250-\r\n250 Auth=plain Login":       {mechanisms: []string{"PLAIN", "LOGIN"}},
		"250-hi\r\n250-SIZE x\r\n250-AUTH PLAIN\r\n250 AUTH LOGIN": {mechanisms: []string{"PLAIN", "LOGIN"}},
	} {
		s, o, _ := converse(t, Config{TLS: TLSOff}, "220 hi", reply)
		if s == nil || !reflect.DeepEqual(s.extensions, want) {
			t.Errorf("%q: %v", reply, o)
		}
	}
}

// Many windows at once: every mail arrives once, over no more connections than allowed.
func TestManyAtOnce(t *testing.T) {
	var b inbox
	cfg := b.serve(t, false, nil, false)
	cfg.TLS, cfg.Limits = TLSOff, perConn(7)
	count := &countingDial{dial: (&net.Dialer{}).DialContext}
	cfg.dial = count.connect
	r := NewClient(cfg, 3)
	defer r.Close()
	const workers, each = 8, 30
	var wg sync.WaitGroup
	for i := range workers {
		w := messages(t, each)
		for j := range w {
			w[j].To = devtest.Email(t, fmt.Sprintf("c%d.%d@client.example", i, j))
		}
		wg.Go(func() {
			for _, o := range send(t.Context(), t, r, w) {
				if o.Kind != Accepted {
					t.Errorf("%v", o)
				}
			}
		})
	}
	wg.Wait()
	if len(b.mails) != workers*each || b.twice != 0 {
		t.Errorf("%d mails of %d arrived, %d twice", len(b.mails), workers*each, b.twice)
	}
	if count.most > 3 {
		t.Errorf("%d connections at once", count.most)
	}
}

// Real mails, one with an attachment, arrive byte for byte.
func TestRealMail(t *testing.T) {
	var b inbox
	cfg := b.serve(t, false, nil, false)
	cfg.TLS = TLSOff
	r := NewClient(cfg, 1)
	defer r.Close()
	goldens, err := filepath.Glob("../mail/testdata/*.eml")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no mails: %v", err)
	}
	for _, name := range goldens {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w := messages(t, 1)
		w[0].Body = raw
		if got := send(t.Context(), t, r, w); got[0].Kind != Accepted {
			t.Fatalf("%s: %v", name, got)
		}
		if b.mails[w[0].To.Mailbox()] != string(raw) {
			t.Errorf("%s arrived changed", name)
		}
	}
}

// Nothing listens: us, at connect.
func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	r := NewClient(Config{Host: "127.0.0.1", Port: port, TLS: TLSOff}, 1)
	defer r.Close()
	if got := send(t.Context(), t, r, messages(t, 2)); kinds(got) != "us not_sent" || got[0].Stage != StageConnect {
		t.Errorf("%v", got)
	}
}

// dotReader is how the standard library reads what DATA sends.
func dotReader(b []byte) (string, error) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	body, err := io.ReadAll(r.DotReader())
	if err != nil {
		return "", err
	}
	if rest, _ := io.ReadAll(r.R); len(rest) > 0 {
		return "", fmt.Errorf("%q after the dot", rest)
	}
	return string(body), nil
}

// The body ends at our dot and nowhere else, and reads back as it was, with any bytes.
func FuzzAppendData(f *testing.F) {
	for _, s := range []string{"", ".", "a", "a\r\n", ".\r\n", "a\n.\nb", "a\r.\rb", "\r\n.\r\n", "a\r\r\n.\r\n", "..\n", "a\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		out := appendData(nil, body)
		got, err := dotReader(out)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(body))
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got != want {
			t.Errorf("%q became %q", body, got)
		}
		if bare := bytes.ReplaceAll(out, []byte("\r\n"), nil); bytes.ContainsAny(bare, "\r\n") {
			t.Errorf("%q holds a bare CR or LF: %q", body, out)
		}
	})
}

// Our name in EHLO is the operator's, never more than one line; or else our address.
func TestHello(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := &session{raw: local{addr: &net.TCPAddr{IP: net.IPv6loopback}}}
	if got := s.hello(Config{}); got != "[IPv6:::1]" {
		t.Errorf("hello with an address of IPv6: %q", got)
	}
	s = &session{raw: conn}
	for in, want := range map[string]string{"": "[127.0.0.1]", "mx.espace.example": "mx.espace.example", "x\r\nMAIL FROM:<>": "[127.0.0.1]"} {
		if got := s.hello(Config{Hello: in}); got != want {
			t.Errorf("hello with %q: %q, want %q", in, got, want)
		}
	}
}

// local is a connection of which only our side's address is known.
type local struct {
	net.Conn
	addr net.Addr
}

func (l local) LocalAddr() net.Addr { return l.addr }
