package importer

import "slices"

// collector finds the header row of one sheet, however far down it stands, and
// spools the rows that the sheet has: those above the header too, for the
// verdict workbook shows them.
type collector struct {
	headings []heading
	spool    *spool // nil: look for the header only
	strict   bool   // cells beyond the header shift a row (CSV)

	layout layout // the header; until found, the best of the rows above
	found  bool
	filled bool // some row is not blank
	count  int  // data rows
	last   int  // line of the last row
	right  int  // last column that has a cell, of the rows kept
}

// take is called with the rows of the sheet that are not blank, in order.
func (c *collector) take(r *record) error {
	c.dropBlankFormulas(r)
	if len(r.cells) == 0 {
		return nil
	}
	c.filled = true
	if !c.found {
		c.look(r)
	} else if c.dropAdded(r); len(r.cells) > 0 {
		c.count++
	}
	return c.keep(r)
}

// dropBlankFormulas drops the formulas that show nothing, except where the row
// is rejected for them: in the columns that are read, of a row that is not blank.
// A formula that was never computed might show something there.
func (c *collector) dropBlankFormulas(r *record) {
	if !r.blankFormulas {
		return
	}
	blankRow := true
	r.filter(func(column int, k kind, blank bool) bool {
		keep := !blank || c.found && slices.Contains(c.layout.columns, column)
		blankRow = blankRow && (!keep || blank && k == formulaCell)
		return keep
	})
	if blankRow {
		r.reset(r.line)
	}
}

// look judges whether the row is the header row.
func (c *collector) look(r *record) {
	l := matchHeader(r.row(), c.headings)
	c.found = len(l.missing) == 0
	if c.found || l.found() > c.layout.found() || c.layout.columns == nil {
		c.layout = l
	}
	if c.found {
		c.dropAdded(r)
	}
}

func (c *collector) keep(r *record) error {
	if c.spool == nil || len(r.cells) == 0 {
		return nil
	}
	c.last = r.line
	c.right = max(c.right, r.cells[len(r.cells)-1].column)
	return c.spool.put(r)
}

// dropAdded drops the cells that a verdict workbook added.
func (c *collector) dropAdded(r *record) {
	if c.layout.added == 0 {
		return
	}
	r.filter(func(column int, _ kind, _ bool) bool { return !c.layout.isAdded(column) })
}

// empty tells a sheet on which nothing stands at all.
func (c *collector) empty() bool { return !c.filled }
