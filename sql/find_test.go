package sql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// C7: a space is found by three addresses: the contact's, the one that its subscriber
// chose and has to prove, and the identifier. The holder is found by words in any
// order. A list shows the latest request.
func TestFindSpaces(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "entered@duvallon.example")
	_, p := d.invited("000002", "shared@duvallon.example")
	d.invite("000003", "shared@duvallon.example")
	d.kinds(row("000004", "zoe@duvallon.example", holder("Zoé Le Bœuf")))
	_, err := d.choose(p, "chosen@duvallon.example")
	d.must(err)
	for _, c := range []struct {
		by   sql.Search
		want string
	}{
		{sql.Search{Email: sqltest.Email(t, "Entered@Duvallon.example")}, "1: 000001 activated"},
		{sql.Search{Email: sqltest.Email(t, "shared@duvallon.example")}, "2: 000002 requested, 000003 requested"},
		{sql.Search{Email: sqltest.Email(t, "chosen@duvallon.example")}, "1: 000002 requested"},
		{sql.Search{Email: sqltest.Email(t, "nobody@duvallon.example")}, "0: "},
		{sql.Search{SIREN: "123456789"}, "0: "},
		{sql.Search{Holder: "boeuf zoe"}, "1: 000004 requested"},
		{sql.Search{Holder: "camille"}, "3: 000001 activated, 000002 requested"},
		{sql.Search{Holder: "%"}, "0: "},
		{sql.Search{}, "0: "},
	} {
		spaces, n, err := d.FindSpaces(d.ctx, c.by, 2)
		d.must(err)
		var list []string
		for _, s := range spaces {
			list = append(list, fmt.Sprintf("%s %s", s.Number, s.State))
			if !strings.HasPrefix(s.Campaign, "lot") {
				t.Errorf("%s is of the campaign %q", s.Number, s.Campaign)
			}
		}
		if got := fmt.Sprintf("%d: %s", n, strings.Join(list, ", ")); got != c.want {
			t.Errorf("%+v finds %s, want %s", c.by, got, c.want)
		}
	}
}

// I8: a search that takes too long is given up: here a lock stands in for a table that
// is too large.
func TestSearchIsGivenUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	tx, err := d.Raw.BeginTx(d.ctx, nil)
	d.must(err)
	defer tx.Rollback()
	_, err = tx.ExecContext(d.ctx, `LOCK TABLE space`)
	d.must(err)
	if _, _, err := d.FindSpaces(d.ctx, sql.Search{Holder: "camille"}, 2); !errors.Is(err, sql.ErrSearchLong) {
		t.Errorf("the search ends with %v", err)
	}
}
