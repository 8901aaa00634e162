package main

import (
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

// serveUntilEnd logs the address of the service, and waits for the end of the input.
func serveUntilEnd(where string) error {
	fmt.Fprintln(os.Stderr, where)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startRole starts this program in a role and returns the first line of its log.
func startRole(ctx context.Context, name, dir string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, name)
	if _, err := cmd.StdinPipe(); err != nil { // the input ends when we do
		return nil, "", err
	}
	p, err := start(name, cmd, filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, "", err
	}
	if err := p.ready(ctx, "\n"); err != nil {
		return nil, "", err
	}
	log, err := os.ReadFile(p.log)
	line, _, _ := strings.Cut(string(log), "\n")
	return p, line, err
}
