package smtp

import (
	"bufio"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// extensions are the offers of the relay's reply to EHLO.
type extensions struct {
	pipelining bool
	starttls   bool
	size       int64 // 0: no limit announced
	dsn        bool  // reports may be asked for (RFC 3461)
	mechanisms []string
}

var (
	errNoTLS     = errors.New("the relay offers no STARTTLS (?starttls=off sends without encryption)")
	errInjection = errors.New("the relay sent data between STARTTLS and the handshake")
	errClearText = errors.New("credentials are not sent over an unencrypted connection")
	errNoAuth    = errors.New("the relay offers no AUTH mechanism known here (PLAIN, LOGIN, CRAM-MD5)")
)

// Try does all that is done before the first message, from the greeting to AUTH, and
// leaves. It returns Accepted, or why a message would not get through.
func Try(ctx context.Context, cfg Config) Outcome {
	cfg.Limits = cmp.Or(cfg.Limits, DefaultLimits())
	s, failure := connect(ctx, cfg)
	if s == nil {
		return failure
	}
	s.end()
	return Outcome{Kind: Accepted, Stage: StageAuth}
}

// connect opens a session, or tells the outcome of the message that needed it.
func connect(ctx context.Context, cfg Config) (opened *session, failure Outcome) {
	defer func() {
		if p := recover(); p != nil {
			opened, failure = nil, brokenOff(StageConnect, newPanicError(p))
		}
	}()
	conn, err := dial(ctx, cfg)
	if err != nil {
		o := brokenOff(StageConnect, err)
		if ctx.Err() != nil {
			o.Kind = NotSent
		}
		return nil, o
	}
	s := &session{raw: conn, limits: cfg.Limits}
	s.use(conn)
	defer s.watch(ctx)()
	if o := s.open(cfg); o.Kind != 0 {
		s.broken = true
		s.end()
		return nil, o
	}
	return s, Outcome{}
}

func dial(ctx context.Context, cfg Config) (net.Conn, error) {
	dial := cfg.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: cfg.Limits.Connect}).DialContext
	}
	return dial(ctx, "tcp", net.JoinHostPort(cfg.Host, cfg.Port))
}

func (s *session) use(conn net.Conn) {
	s.conn = conn
	s.in = bufio.NewReaderSize(conn, maxReplyLine)
}

// open brings a connection from the greeting to AUTH.
func (s *session) open(cfg Config) (o Outcome) {
	for _, step := range []func(Config) Outcome{s.greet, s.ehlo, s.upgrade, s.authenticate} {
		if o = step(cfg); o.Kind != 0 {
			break
		}
	}
	return o
}

func (s *session) greet(cfg Config) Outcome {
	if cfg.TLS == TLSImplicit {
		if o := s.handshake(cfg); o.Kind != 0 {
			return o
		}
	}
	_, o := s.positive(StageConnect)(s.reply(s.limits.Connect))
	return o
}

func (s *session) ehlo(cfg Config) Outcome {
	r, o := s.positive(StageEhlo)(s.exchange("EHLO "+s.hello(cfg), s.limits.Connect))
	if o.Kind == 0 {
		s.extensions = parseExtensions(r.lines[1:])
	}
	return o
}

// positive judges a reply that must be 2xx before the first message.
func (s *session) positive(stage Stage) func(reply, error) (reply, Outcome) {
	return func(r reply, err error) (reply, Outcome) {
		switch {
		case err != nil:
			return r, s.fail(stage, err)
		case r.code/100 != 2:
			return r, r.outcome(stage, Message{})
		}
		return r, Outcome{}
	}
}

// hello is our name, or the address of our side of the connection (RFC 5321 §4.1.3).
func (s *session) hello(cfg Config) string {
	if cfg.Hello != "" && !strings.ContainsFunc(cfg.Hello, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return cfg.Hello
	}
	addr, ok := s.raw.LocalAddr().(*net.TCPAddr)
	switch {
	case !ok:
		return "localhost"
	case addr.IP.To4() != nil:
		return "[" + addr.IP.String() + "]"
	}
	return "[IPv6:" + addr.IP.String() + "]"
}

func parseExtensions(lines []string) extensions {
	var e extensions
	for _, line := range lines {
		words := strings.Fields(strings.Replace(strings.ToUpper(line), "AUTH=", "AUTH ", 1))
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "PIPELINING":
			e.pipelining = true
		case "STARTTLS":
			e.starttls = true
		case "DSN":
			e.dsn = true
		case "AUTH":
			e.mechanisms = append(e.mechanisms, words[1:]...)
		case "SIZE":
			if len(words) > 1 {
				e.size, _ = strconv.ParseInt(words[1], 10, 64) // malformed: no limit announced
			}
		}
	}
	return e
}

// upgrade turns to TLS as the mode requires. Offers in clear text no longer count.
func (s *session) upgrade(cfg Config) Outcome {
	switch {
	case cfg.TLS == TLSImplicit, cfg.TLS == TLSOff, cfg.TLS == TLSOptional && !s.extensions.starttls:
		return Outcome{}
	case !s.extensions.starttls:
		return s.fail(StageTLS, errNoTLS)
	}
	if _, o := s.positive(StageTLS)(s.exchange("STARTTLS", s.limits.Connect)); o.Kind != 0 {
		return o
	}
	if s.in.Buffered() > 0 {
		return s.fail(StageTLS, errInjection)
	}
	if o := s.handshake(cfg); o.Kind != 0 {
		return o
	}
	return s.ehlo(cfg)
}

func (s *session) handshake(cfg Config) Outcome {
	conn := tls.Client(s.raw, &tls.Config{ServerName: cfg.Host, RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12})
	s.deadline(s.limits.Connect)
	if err := conn.Handshake(); err != nil {
		return s.fail(StageTLS, err)
	}
	s.use(conn)
	return Outcome{}
}

// authenticate proves who we are, if the configuration has credentials. Without
// encryption, it sends them only to this machine itself, or if the operator wrote
// starttls=off.
func (s *session) authenticate(cfg Config) Outcome {
	if cfg.Auth == nil {
		return Outcome{}
	}
	if s.conn == s.raw && cfg.TLS != TLSOff && !isLoopback(s.raw) {
		return s.fail(StageAuth, errClearText)
	}
	for _, m := range mechanisms(s.conn != s.raw) {
		if slices.Contains(s.extensions.mechanisms, m.name) {
			return s.auth(m, *cfg.Auth)
		}
	}
	return s.fail(StageAuth, errNoAuth)
}

func isLoopback(conn net.Conn) bool {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// mechanism is one way of AUTH: the response to each challenge, from the first (step
// 0).
type mechanism struct {
	name     string
	initial  bool // the first response goes with the command, as there is no challenge
	response func(c Credentials, step int, challenge []byte) string
}

// mechanisms are the known ones, best first. In clear text it is the one that does not
// tell the password.
func mechanisms(encrypted bool) []mechanism {
	plain := mechanism{"PLAIN", true, func(c Credentials, _ int, _ []byte) string {
		return "\x00" + c.User + "\x00" + c.Password
	}}
	login := mechanism{"LOGIN", false, func(c Credentials, step int, _ []byte) string {
		if step == 0 {
			return c.User
		}
		return c.Password
	}}
	cram := mechanism{"CRAM-MD5", false, func(c Credentials, _ int, challenge []byte) string {
		mac := hmac.New(md5.New, []byte(c.Password))
		mac.Write(challenge)
		return c.User + " " + hex.EncodeToString(mac.Sum(nil))
	}}
	if encrypted {
		return []mechanism{plain, login, cram}
	}
	return []mechanism{cram, plain, login}
}

// maxLines is how many lines LOGIN takes, more than the other mechanisms.
const maxLines = 3

func (s *session) auth(m mechanism, c Credentials) Outcome {
	encode := base64.StdEncoding.EncodeToString
	line := "AUTH " + m.name
	if m.initial {
		line += " " + encode([]byte(m.response(c, 0, nil)))
	}
	for step := range maxLines {
		r, err := s.exchange(line, s.limits.Connect)
		if err != nil {
			return s.fail(StageAuth, err)
		}
		if r.code == 235 {
			return Outcome{}
		}
		if r.code != 334 {
			return r.outcome(StageAuth, Message{})
		}
		challenge, err := base64.StdEncoding.DecodeString(r.lines[0])
		if err != nil {
			return s.fail(StageAuth, errReply)
		}
		line = encode([]byte(m.response(c, step, challenge)))
	}
	return s.fail(StageAuth, errReply)
}
