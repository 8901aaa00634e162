package readiness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"bascule/internal/smtp"
)

// Relay tries the relay as far as AUTH. breaker is the reason why the workers mail
// nothing; "" while they do.
func Relay(ctx context.Context, cfg smtp.Config, breaker string) Line {
	const name = "relay"
	o := smtp.Try(ctx, cfg)
	switch {
	case o.Kind != smtp.Accepted:
		return Bad(name, o.String(), "repair the relay, or SMTP_URL")
	case breaker != "":
		return Bad(name, "it answers, but the workers mail nothing: "+breaker, "repair the relay; the workers try it every 15 s")
	case cfg.TLS == smtp.TLSOff:
		return Good(name, "it answers, without encryption as SMTP_URL wants it")
	}
	return Good(name, "it answers")
}

// A Site is the site of the pages, as subscribers reach it.
type Site struct {
	URL   *url.URL // PUBLIC_URL
	Proof string   // the header that answers a challenge
	// Challenge is a word that nobody has used before. Proves tells whether an
	// installation with the same key gave the answer.
	Challenge string
	Proves    func(answer string) bool
}

// Ask asks whether these very pages are alive, and ready. It also returns the time in
// the answer; zero if it has none.
func (s Site) Ask(ctx context.Context) (Line, time.Time) {
	const name = "pages"
	alive, err := s.get(ctx, "/healthz?challenge="+url.QueryEscape(s.Challenge))
	if err != nil {
		return Bad(name, "no answer at PUBLIC_URL: "+reason(err), "start `bascule serve`, or repair what stands before it"), time.Time{}
	}
	at, _ := http.ParseTime(alive.Header.Get("Date")) // zero if there is none
	answer := alive.Header.Get(s.Proof)
	switch {
	case alive.StatusCode != http.StatusOK:
		return Bad(name, fmt.Sprintf("PUBLIC_URL answers %s", alive.Status), "let PUBLIC_URL lead to `bascule serve`, without a redirect"), at
	case answer == "":
		return Bad(name, "something else than `bascule serve` answers at PUBLIC_URL", "let PUBLIC_URL lead to `bascule serve`"), at
	case !s.Proves(answer):
		return Bad(name, "the pages at PUBLIC_URL have another SECRET_KEY than this command", "let PUBLIC_URL lead to the pages of this installation"), at
	}
	ready, err := s.get(ctx, "/readyz")
	if err != nil || ready.StatusCode != http.StatusOK {
		return Bad(name, "the pages answer, but their PostgreSQL does not", "look at the log of `bascule serve`"), at
	}
	return Good(name, "they answer at "+s.URL.String()), at
}

// get asks without following a redirect: another address is not PUBLIC_URL.
func (s Site) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL.String()+path, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

// reason is an error without the URL: its challenge tells nobody anything.
func reason(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return err.Error()
}
