package main

import (
	"fmt"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listening is a sink of this process, and where it takes mail.
func listening(t *testing.T, f faults) (*sink, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := newSink()
	s.reset(f)
	go s.serve(l)
	return s, l.Addr().String()
}

func mailOf(kind string, n int, text string) []byte {
	return fmt.Appendf(nil, "Subject: essai\r\nmessage-id: <%s.%d.1.0@espace.example>\r\n\r\n%s\r\n", kind, n, text)
}

// I5: the sink tells a mail that comes twice from two mails, whatever the session.
func TestSinkCountsMessageIDs(t *testing.T) {
	s, addr := listening(t, faults{Keep: 1})
	for _, mail := range [][]byte{mailOf("code", 1, "ABCD-EFGH-JKMN"), mailOf("code", 1, "ABCD-EFGH-JKMN"), mailOf("code", 2, "0000-1111-2222"), mailOf("expired", 1, "..")} {
		if err := sendBare(t.Context(), addr, mail, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tally.Mails != 4 || s.tally.answered() != 4 {
		t.Errorf("%+v, want 4 mails", s.tally)
	}
	if diff := cmp.Diff(map[string]int{"code": 2, "expired": 1}, s.tally.Distinct); diff != "" {
		t.Errorf("Message-IDs (- want, + got):\n%s", diff)
	}
	if len(s.letters) != 1 || s.letters[0].Code != "ABCD-EFGH-JKMN" || s.letters[0].Email != "personne@reference.example" {
		t.Errorf("letters %+v, want the first one alone", s.letters)
	}
}

// Recipients that the sink defers or refuses count as answers, and as no mail.
func TestSinkFaults(t *testing.T) {
	for _, c := range []struct {
		faults            faults
		deferred, refused int
	}{
		{faults{Defer: 100}, 1, 0},
		{faults{Refuse: 100}, 0, 1},
	} {
		s, addr := listening(t, c.faults)
		if err := sendBare(t.Context(), addr, mailOf("code", 1, "x"), 1, 1); err == nil {
			t.Errorf("%+v: the mail was taken", c.faults)
		}
		s.mu.Lock()
		if s.tally.Deferred != c.deferred || s.tally.Refused != c.refused || s.tally.Mails != 0 || s.tally.answered() != 1 {
			t.Errorf("%+v: %+v", c.faults, s.tally)
		}
		s.mu.Unlock()
	}
}
