package devtest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a server on loopback that knows TXT records. A name that it does not know does
// not exist.
type DNS struct {
	conn net.PacketConn

	mu      sync.Mutex
	records map[string][]string
	codes   map[string]dnsmessage.RCode
}

// NewDNS starts a server, which the end of the test stops.
func NewDNS(t testing.TB) *DNS {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &DNS{conn: conn, records: map[string][]string{}, codes: map[string]dnsmessage.RCode{}}
	done := make(chan struct{})
	go func() { defer close(done); d.serve() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return d
}

// Set gives a name its TXT records; none takes the name away.
func (d *DNS) Set(name string, records ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.codes, name)
	if d.records[name] = records; len(records) == 0 {
		delete(d.records, name)
	}
}

// Fail has questions about a name fail, as those about a zone that is out of service.
func (d *DNS) Fail(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.codes[name] = dnsmessage.RCodeServerFailure
}

// Addr is where the server listens.
func (d *DNS) Addr() string { return d.conn.LocalAddr().String() }

// Resolver asks this server alone.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.Addr())
	}}
}

func (d *DNS) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Additionals = nil
		d.answer(&m)
		if out, err := m.Pack(); err == nil {
			d.conn.WriteTo(out, from) // the asker waits no longer, if it has gone
		}
	}
}

func (d *DNS) answer(m *dnsmessage.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := m.Questions[0]
	name := strings.TrimSuffix(q.Name.String(), ".")
	records, known := d.records[name]
	m.Response, m.RCode = true, d.codes[name]
	if !known && m.RCode == dnsmessage.RCodeSuccess {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, r := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.TXTResource{TXT: []string{r}},
		})
	}
}
