package main

import (
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
)

// isSink tells whether this program runs as the sink of another one.
func isSink(args []string) bool { return len(args) == 2 && args[1] == "sink" }

// runSink is the process `bench sink`. It answers the bench's questions on its standard
// input and output, until the input ends: this happens at the end of the bench.
func runSink() error {
	s, err := newSink()
	if err != nil {
		return err
	}
	go s.serve()
	server := rpc.NewServer()
	if err := server.RegisterName("Sink", s); err != nil {
		return err
	}
	server.ServeConn(stream{os.Stdin, os.Stdout})
	return nil
}

// A stream is a pipe from a process and one to it.
type stream struct {
	io.ReadCloser
	io.Writer
}

// A sinkProcess is a running sink, seen from the bench.
type sinkProcess struct {
	*process
	client *rpc.Client
	addr   string
}

func startSink(dir string) (*sinkProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "sink")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := start("sink", cmd, filepath.Join(dir, "sink.log"))
	if err != nil {
		return nil, err
	}
	s := &sinkProcess{process: p, client: rpc.NewClient(stream{out, in})}
	s.addr, err = ask[string](s, "Addr", 0)
	return s, err
}

// smtpURL is the sink's address in the form of SMTP_URL.
func (s *sinkProcess) smtpURL() string { return "smtp://" + s.addr + "?starttls=off" }

func (s *sinkProcess) reset(f Faults) error {
	_, err := ask[int](s, "Reset", f)
	return err
}

func (s *sinkProcess) keep(n int) error {
	_, err := ask[int](s, "Keep", n)
	return err
}

func (s *sinkProcess) tally() (Tally, error)           { return ask[Tally](s, "Tally", 0) }
func (s *sinkProcess) letters() ([]Letter, error)      { return ask[[]Letter](s, "Letters", 0) }
func (s *sinkProcess) sample() ([]byte, error)         { return ask[[]byte](s, "Sample", 0) }
func (s *sinkProcess) await(to string) (Letter, error) { return ask[Letter](s, "Await", to) }

// ask asks a question.
func ask[T any](s *sinkProcess, question string, about any) (answer T, err error) {
	if err := s.client.Call("Sink."+question, about, &answer); err != nil {
		return answer, fmt.Errorf("the sink, asked %s: %w: %s", question, err, s.lastWords())
	}
	return answer, nil
}
