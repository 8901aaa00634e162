package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bascule/sql/sqltest"
)

// D15: a form with a right code counts for its campaign, and as failed if an error of
// ours failed it: also if the time of the request ran out. Nobody is to blame for a client
// that has gone, or that is to come again as the server is busy. Otherwise one subscriber
// could stop a campaign, by sending the same form many times at once.
func TestEntries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  error
		want string
	}{
		"time ran out":    {context.DeadlineExceeded, "1 of 1"},
		"client has gone": {context.Canceled, "0 of 1"},
		"server is busy":  {nil, "0 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			invited, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
			s.db.Exec(t, `INSERT INTO campaign (name, created_at) VALUES ('spring', bascule_now())`)
			s.db.Exec(t, `ALTER TABLE request DISABLE TRIGGER request_space_is_fixed`)
			s.db.Exec(t, `UPDATE request SET campaign_id = (SELECT id FROM campaign)`)
			unlock, err := s.server.LockTurn(t.Context(), invited.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			ctx := &ending{Context: t.Context(), ended: make(chan struct{}), err: test.end}
			r := s.request(http.MethodPost, "/activation", strings.NewReader(full(proof, "contact@a.example").Encode()),
				"Content-Type", "application/x-www-form-urlencoded").WithContext(ctx)
			answered := make(chan struct{})
			go func() { s.server.Handler().ServeHTTP(httptest.NewRecorder(), r); close(answered) }()
			s.await(`SELECT typed_at IS NOT NULL FROM code`)
			if test.end != nil {
				close(ctx.ended)
			}
			<-answered
			if got := s.db.Text(t, `SELECT sum(failures) || ' of ' || sum(entries) FROM tally WHERE campaign_id IS NOT NULL`); got != test.want {
				t.Errorf("%s forms failed, want %s", got, test.want)
			}
		})
	}
}

// An ending context ends when the test says so, for the reason that it says.
type ending struct {
	context.Context
	ended chan struct{}
	err   error
}

func (e *ending) Done() <-chan struct{} { return e.ended }

func (e *ending) Err() error {
	select {
	case <-e.ended:
		return e.err
	default:
		return nil
	}
}
