package sql_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"bascule/sql/sqltest"
)

// Whoever opens the database refuses a pooler in transaction mode: there a statement would
// run as what another client prepared under its name. It is found out with one process,
// which answers everybody, and with several that take turns.
func TestPoolerOfTransactions(t *testing.T) {
	t.Parallel()
	d := open(t)
	for processes := 1; processes <= 3; processes++ {
		pooled := startPooler(t, sqltest.As(t, d.URL, sqltest.Application), processes)
		for name, opens := range openers {
			db, err := opens(d.ctx, pooled, 4)
			if err == nil {
				db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "pool_mode = session") {
				t.Errorf("%s, %d processes: %v", name, processes, err)
			}
		}
	}
}

// A pooler lends processes of PostgreSQL, each for one transaction. Who was free for
// longest is next.
type pooler struct {
	free    chan net.Conn
	welcome []byte // what PostgreSQL says to a client that has come in
}

// startPooler is the URL of a pooler of that many processes.
func startPooler(t *testing.T, databaseURL string, processes int) (pooled string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &pooler{free: make(chan net.Conn, processes)}
	for range processes {
		p.start(t, u)
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	u.Host, u.RawQuery = l.Addr().String(), "sslmode=disable"
	return u.String()
}

// start starts a process.
func (p *pooler) start(t *testing.T, u *url.URL) {
	t.Helper()
	process, err := net.Dial("unix", filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Close() })
	hello := fmt.Sprintf("\x00\x03\x00\x00user\x00%s\x00database\x00%s\x00\x00", u.User.Username(), strings.TrimPrefix(u.Path, "/"))
	process.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello)+4)), hello...))
	p.welcome = nil
	for kind := byte(0); kind != 'Z'; {
		message, err := readMessage(process)
		if err != nil {
			t.Fatal(err)
		}
		kind = message[0]
		p.welcome = append(p.welcome, message...)
	}
	p.free <- process
}

// readMessage reads a message of PostgreSQL's protocol: its kind, its length, its content.
func readMessage(r io.Reader) ([]byte, error) {
	message := make([]byte, 5)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, err
	}
	content := make([]byte, binary.BigEndian.Uint32(message[1:])-4)
	_, err := io.ReadFull(r, content)
	return append(message, content...), err
}

// serve serves a client until it leaves.
func (p *pooler) serve(client net.Conn) {
	defer client.Close()
	client.Read(make([]byte, 1024)) // its first message has no kind
	client.Write(p.welcome)
	for {
		message, err := readMessage(client)
		if err != nil || message[0] == 'X' {
			return
		}
		process := <-p.free
		if !transaction(client, process, message) {
			return // the process is lost, and its transaction is rolled back
		}
		p.free <- process
	}
}

// transaction passes messages on until the process says that it is in no transaction.
func transaction(client io.ReadWriter, process net.Conn, message []byte) bool {
	for err := error(nil); err == nil; message, err = readMessage(client) {
		process.Write(message)
		for kind := message[0]; kind == 'Q' || kind == 'S'; {
			answer, err := readMessage(process)
			if err != nil {
				return false
			}
			client.Write(answer)
			if kind = answer[0]; kind == 'Z' && answer[5] == 'I' {
				return true
			}
			if kind != 'Z' {
				kind = 'S'
			}
		}
	}
	process.Close()
	return false
}
