package workbook

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// A second is written to a few microseconds: otherwise some programs show the one
// before.
func TestSeconds(t *testing.T) {
	for second := range int64(daySeconds) {
		days, err := strconv.ParseFloat(string(appendSerial(nil, 46351*daySeconds+second)), 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := (days - 46351) * daySeconds; math.Abs(got-float64(second)) > 5e-6 {
			t.Fatalf("second %d of a day is told as %f", second, got)
		}
	}
}

// I7: a CSV field holds what the cell holds, in the French notation; a text that a
// program would compute gets an apostrophe.
func TestAppendCSV(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 59, 58, 0, time.UTC)
	for _, tt := range []struct {
		c    Cell
		want string
	}{
		{Cell{}, ""}, {Number(-7), "-7"}, {Decimal(0.125), "0,125"}, {Day(at), "31/12/2026"}, {Instant(at), "31/12/2026 23:59:58"},
		{Instant(at.AddDate(400, 0, 0)), "31/12/2426 23:59:58"},
		{Text("0012"), "0012"}, {Text("a;b"), `"a;b"`}, {Text(`say "x"`), `"say ""x"""`}, {Text("a\nb"), "\"a\nb\""}, {Text(" a"), `" a"`},
		{Text("=1"), "'=1"}, {Text("+33"), "'+33"}, {Text("-1"), "'-1"}, {Text("@x"), "'@x"}, {Text("\t=1"), "\"'\t=1\""}, {Text("＝1"), "'＝1"},
		{Text(" =1"), "' =1"}, {Text("\u00a0=1"), "'\u00a0=1"}, {Text("\r=1"), "\"'\r=1\""},
	} {
		if got := string(tt.c.appendCSV(nil)); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.c, got, tt.want)
		}
	}
}

// Rows and columns that stay in sight, alone and together.
func TestFreeze(t *testing.T) {
	for want, l := range map[string]Layout{
		"0 2 A3 bottomLeft": {Frozen: 2}, "1 0 B1 topRight": {Side: 1}, "3 2 D3 bottomRight": {Side: 3, Frozen: 2},
	} {
		l.Columns = make([]Column, 5)
		l.Header, l.Titles, l.Wide, l.Total = 2, 1, 2, true
		var b bytes.Buffer
		book := New(&b, "Un")
		s := book.Sheet("Un", l)
		s.Row(1, 0)
		s.End()
		must(t, book.Close())
		f, err := excelize.OpenReader(&b)
		must(t, err)
		p, err := f.GetPanes("Un")
		if got := fmt.Sprint(p.XSplit, p.YSplit, p.TopLeftCell, p.ActivePane); err != nil || !p.Freeze || strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("panes %q, want %q", got, want)
		}
		names := f.GetDefinedName()
		wantTitles := "'Un'!$1:$2"
		if l.Side > 0 {
			wantTitles = fmt.Sprintf("'Un'!$A:$%c,", 'A'+l.Side-1) + wantTitles
		}
		if len(names) != 1 || names[0].RefersTo != wantTitles {
			t.Errorf("names %+v, want %s", names, wantTitles)
		}
	}
}
