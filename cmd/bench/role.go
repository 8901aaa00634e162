package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bascule/internal/devenv"
)

// runRole runs this program as one of the services that are measured apart. It runs
// until its standard input ends; this happens at the end of the bench.
func runRole(name string) error {
	switch name {
	case "sink":
		return runSink()
	case "redis":
		return runRedis()
	}
	return fmt.Errorf("unknown command %q", name)
}

func isRole(args []string) bool { return len(args) > 0 && (args[0] == "sink" || args[0] == "redis") }

// runRedis is the process `bench redis`: the Redis that the demonstration embeds.
func runRedis() error {
	r, err := devenv.StartRedis(context.Background())
	if err != nil {
		return err
	}
	defer r.Stop()
	return serveUntilEnd(r.URL())
}

// runSink is the process `bench sink`.
func runSink() error {
	mails, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := newSink()
	go s.serve(mails)
	go http.Serve(control, s.handler())
	at, err := json.Marshal(sinkAddresses{mails.Addr().String(), control.Addr().String()})
	if err != nil {
		return err
	}
	return serveUntilEnd(string(at))
}

// serveUntilEnd prints the address of the service, and waits for the end of the input.
func serveUntilEnd(where string) error {
	fmt.Println(where)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startRole starts this program in a role and returns its first line.
func startRole(ctx context.Context, name, dir string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, name)
	if _, err := cmd.StdinPipe(); err != nil { // the input ends when we do
		return nil, "", err
	}
	out := &firstLine{line: make(chan string, 1)}
	cmd.Stdout = out
	p, err := start(name, cmd, filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, "", err
	}
	select {
	case line := <-out.line:
		return p, line, nil
	case <-p.done:
		return nil, "", fmt.Errorf("%s ended: %w: %s", name, p.err, p.lastWords())
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
}

// A firstLine passes on the first line that is written to it.
type firstLine struct {
	buffer bytes.Buffer
	line   chan string
}

func (f *firstLine) Write(b []byte) (int, error) {
	f.buffer.Write(b)
	if line, err := f.buffer.ReadString('\n'); err == nil {
		select {
		case f.line <- strings.TrimSpace(line):
		default:
		}
	}
	return len(b), nil
}
