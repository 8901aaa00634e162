package listen

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bascule/internal/devenv/devtest"

	"golang.org/x/net/http2"
)

// patience is how long a test waits for what must happen.
const patience = 3 * time.Minute

// I8: a process without descriptors says what to do.
func TestNoDescriptorLeft(t *testing.T) {
	t.Parallel()
	var log devtest.Log
	accept := &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	srv := Listener{Handler: http.NotFoundHandler()}.server(slog.New(slog.NewTextHandler(&log, nil)))
	if err := srv.Serve(&starved{crowd{closed: make(chan struct{})}, []error{accept, net.ErrClosed}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the server ended with %v", err)
	}
	if said := log.String(); !strings.Contains(said, "LimitNOFILE") || strings.Count(said, "\n") != 1 {
		t.Errorf("the log says %q", said)
	}
}

// R7: a certificate that ends the handshake is told to the operator, who else would hear
// of it from the assistance alone. The line tells nothing of its holder (I6).
func TestCertificateEndsHandshake(t *testing.T) {
	t.Parallel()
	authority := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple"})
	own, err := authority.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large := new(big.Int).SetBit(big.NewInt(1), 9000, 1)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Luc Martin"}, NotAfter: time.Now().Add(time.Hour)}
	for name, public := range map[string]any{"a key that is too large": &rsa.PublicKey{N: large, E: 3}, "the key of somebody else": own.Leaf.PublicKey} {
		der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
		if err != nil {
			t.Fatal(err)
		}
		var log devtest.Log
		l := Listener{Name: "test", Handler: http.NotFoundHandler(), TLS: func(c *tls.Config) *tls.Config { c.ClientAuth = tls.RequestClientCert; return c }}
		srv := l.server(slog.New(slog.NewTextHandler(&log, nil)))
		srv.TLSConfig.Certificates = []tls.Certificate{own}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- l.serve(srv, ln) }()
		shown := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }}}}
		if answer, err := client.Get("https://" + ln.Addr().String()); err == nil {
			answer.Body.Close()
			t.Errorf("%s: status %d", name, answer.StatusCode)
		}
		srv.Shutdown(t.Context())
		<-ended
		if said := log.String(); !strings.Contains(said, "a client's certificate cannot be used") || strings.Count(said, "\n") != 1 || strings.Contains(said, "Martin") || strings.Contains(said, "127.0.0.1") {
			t.Errorf("%s: the log says %q", name, said)
		}
	}
}

// starved is a listener whose calls fail, one after the other.
type starved struct {
	crowd
	errs []error
}

func (s *starved) Accept() (net.Conn, error) {
	err := s.errs[0]
	s.errs = s.errs[1:]
	return nil, err
}

// I8: the server tells a client of HTTP/2 how many requests and how much of bodies it
// accepts at once.
func TestHTTP2Limits(t *testing.T) {
	t.Parallel()
	authority := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple"})
	own, err := authority.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := Listener{Handler: http.NotFoundHandler()}.server(slog.New(slog.DiscardHandler))
	srv.TLSConfig.Certificates = []tls.Certificate{own}
	ended := make(chan error, 1)
	go func() { ended <- Listener{Name: "test"}.serve(srv, ln) }()
	t.Cleanup(func() { srv.Close(); <-ended })

	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	framer := http2.NewFramer(c, c)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("the first frame is %v", frame)
	}
	for id, most := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: 16, http2.SettingInitialWindowSize: 64 << 10, http2.SettingMaxFrameSize: 16 << 10,
	} {
		if v, ok := settings.Value(id); !ok || v > most {
			t.Errorf("%v is %d, want %d at the most", id, v, most)
		}
	}
}

// crowd is a listener with as many clients as it lets in, up to a number. The clients
// say nothing and go only when the test tells them.
type crowd struct {
	most     int
	accepted atomic.Int64
	mu       sync.Mutex
	clients  []net.Conn
	closed   chan struct{}
}

func (c *crowd) Accept() (net.Conn, error) {
	if int(c.accepted.Load()) >= c.most {
		<-c.closed
		return nil, errors.New("closed")
	}
	client, server := net.Pipe()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients = append(c.clients, client)
	c.accepted.Add(1)
	return server, nil
}

func (c *crowd) Close() error   { close(c.closed); return nil }
func (c *crowd) Addr() net.Addr { return &net.TCPAddr{} }

// wait waits until so many have been let in.
func (c *crowd) wait(t *testing.T, n int) {
	t.Helper()
	tick, timeout := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for int(c.accepted.Load()) < n {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%d are let in, want %d", c.accepted.Load(), n)
		}
	}
}

// I8: a listener has so many connections open at once and no more. A client that goes
// makes room for one.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	c := &crowd{most: 2 * maxConnections, closed: make(chan struct{})}
	srv := Listener{Handler: http.NotFoundHandler()}.server(slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- Listener{Name: "test"}.serve(srv, c) }()
	t.Cleanup(func() { srv.Close(); <-ended })
	for left := range 3 {
		c.wait(t, maxConnections+left)
		if n := int(c.accepted.Load()); n != maxConnections+left {
			t.Fatalf("%d are let in after %d have left, want %d", n, left, maxConnections+left)
		}
		c.mu.Lock()
		c.clients[left].Close()
		c.mu.Unlock()
	}
}

// I8: one client that opens connections without end leaves room for others: for
// subscribers, and for probes of the process. It may use again the room that it gives
// up. A proxy is many clients.
func TestOneClientLeavesRoom(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := Listener{Handler: http.NotFoundHandler()}.server(slog.New(slog.DiscardHandler))
	srv.ReadHeaderTimeout, srv.ReadTimeout = 0, 0 // nobody makes room by being slow
	ended := make(chan error, 1)
	go func() { ended <- Listener{Name: "test"}.serve(srv, ln) }()
	t.Cleanup(func() { srv.Close(); <-ended })
	from := func(addr string) net.Conn {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}, Timeout: patience}
		c, err := dialer.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range maxConnections {
		from("127.0.0.2")
	}
	c := from("127.0.0.3")
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else beside a client with %d connections: %v", maxConnections, err)
	}
}
