package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// sinkAddresses are the addresses on which a sink listens.
type sinkAddresses struct{ SMTP, Control string }

// handler answers the bench's questions to a sink.
func (s *sink) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reset", taking(s.reset))
	mux.HandleFunc("POST /keep", taking(s.keep))
	mux.HandleFunc("GET /tally", s.telling(&s.tally))
	mux.HandleFunc("GET /letters", s.telling(&s.letters))
	mux.HandleFunc("GET /sample", s.telling(&s.sample))
	mux.HandleFunc("GET /await", func(w http.ResponseWriter, r *http.Request) {
		l, ok := s.await(r.FormValue("to"), awaitPatience)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(l)
	})
	return mux
}

// taking passes on what a question brings.
func taking[T any](take func(T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var value T
		if err := json.NewDecoder(r.Body).Decode(&value); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		take(value)
	}
}

// telling answers with the present value.
func (s *sink) telling(value any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		json.NewEncoder(w).Encode(value)
	}
}

// awaitPatience is how long await waits for a mail.
const awaitPatience = 30 * time.Second

// A sinkProcess is a running sink, seen from the bench.
type sinkProcess struct {
	*process
	at sinkAddresses
}

func startSink(ctx context.Context, dir string) (*sinkProcess, error) {
	p, line, err := startRole(ctx, "sink", dir)
	if err != nil {
		return nil, err
	}
	s := &sinkProcess{process: p}
	return s, json.Unmarshal([]byte(line), &s.at)
}

// smtpURL is the sink's address in the form of SMTP_URL.
func (s *sinkProcess) smtpURL() string { return "smtp://" + s.at.SMTP + "?starttls=off" }

func (s *sinkProcess) reset(ctx context.Context, f faults) error {
	return s.tell(ctx, "reset", f)
}

func (s *sinkProcess) keep(ctx context.Context, n int) error { return s.tell(ctx, "keep", n) }

func (s *sinkProcess) tell(ctx context.Context, what string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.ask(ctx, http.MethodPost, what, nil, body, nil)
}

func (s *sinkProcess) tally(ctx context.Context) (t tally, err error) {
	err = s.ask(ctx, http.MethodGet, "tally", nil, nil, &t)
	return t, err
}

func (s *sinkProcess) letters(ctx context.Context) (list []letter, err error) {
	err = s.ask(ctx, http.MethodGet, "letters", nil, nil, &list)
	return list, err
}

// sample is one mail as it came, with doubled dots.
func (s *sinkProcess) sample(ctx context.Context) (mail []byte, err error) {
	err = s.ask(ctx, http.MethodGet, "sample", nil, nil, &mail)
	return mail, err
}

// await waits for the mail to an address of watchedDomain.
func (s *sinkProcess) await(ctx context.Context, to string) (l letter, err error) {
	err = s.ask(ctx, http.MethodGet, "await", url.Values{"to": {to}}, nil, &l)
	return l, err
}

func (s *sinkProcess) ask(ctx context.Context, method, path string, query url.Values, body []byte, to any) error {
	u := url.URL{Scheme: "http", Host: s.at.Control, Path: "/" + path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the sink answers %s to %s", res.Status, path)
	}
	if to == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(to)
}
