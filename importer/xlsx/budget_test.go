package xlsx

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// I8: repeated texts of cells count from 16 MiB on; a small list may repeat as it
// likes.
func TestReferredIsBounded(t *testing.T) {
	work := budget{ctx: context.Background()}
	if err := work.refer(maxReferred); err != nil {
		t.Error(err)
	}
	if err := work.refer(1); err == nil {
		t.Error("more than 16 MiB of nothing were repeated")
	}
}

// I8: no pass over a file handles more text than a whole file may inflate to.
func TestBudgetIsBounded(t *testing.T) {
	work := budget{ctx: context.Background()}
	work.spent.Store(MaxInflated - 100)
	if err := work.spend(100); err != nil {
		t.Error(err)
	}
	if err := work.spend(1); err == nil {
		t.Error("more than the budget was spent")
	}
}

const ns = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`

// I8: each list of a workbook has a bound in memory, with a message of its own.
func TestListsAreBounded(t *testing.T) {
	full := &sheetReader{Sheet: &Sheet{Merged: make([]Area, maxMerged)}, x: &xmlReader{attrs: []xmlAttr{{[]byte("ref"), []byte("A1:A2")}}}}
	if err := full.addMerged(); err == nil {
		t.Error("merged cells have no bound")
	}
	many := func(element string, n int) string { return strings.Repeat("<"+element+"/>", n) }
	var formats strings.Builder
	for i := range maxStyles + 1 {
		fmt.Fprintf(&formats, `<numFmt numFmtId="%d"/>`, i)
	}
	for what, styles := range map[string]string{"styles": "<cellXfs>" + many("xf", maxStyles+1) + "</cellXfs>", "formats": "<numFmts>" + formats.String() + "</numFmts>"} {
		if _, err := readStyles(newXMLReader(strings.NewReader("<styleSheet " + ns + ">" + styles + "</styleSheet>"))); err == nil || err.Error() != "it has too many "+what {
			t.Errorf("too many %s: %v", what, err)
		}
	}
	if f := parseFormat(strings.Repeat(" ", maxFormat) + "0"); !f.other {
		t.Errorf("a long format is %+v", f)
	}
}
