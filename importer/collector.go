package importer

import (
	"slices"

	"bascule/importer/xlsx"
)

// collector finds the header row of one sheet, however far down it is, and spools the
// rows of the sheet. It spools the rows above the header too, as the verdict workbook
// shows them.
type collector struct {
	forms     []form
	headings  []heading // those of the form that the header row has; until found, of the first one
	spool     *spool    // nil: look for the header only
	delimiter byte      // of a CSV file, where cells beyond the header shift a row; 0 for a workbook

	layout layout // the header; until it is found, the best of the rows so far
	found  bool
	filled bool // some row is not blank
	count  int  // data rows
	right  int  // last column that has a cell, of the rows kept
}

// add takes the rows of the sheet that are not blank, in order.
func (c *collector) add(r *xlsx.Row) error {
	c.dropBlankFormulas(r)
	if len(r.Cells) == 0 {
		return nil
	}
	c.filled = true
	if !c.found {
		c.look(r)
	} else if c.dropAdded(r); len(r.Cells) > 0 {
		c.count++
	}
	return c.keep(r)
}

func isBlank(c xlsx.Cell) bool { return len(c.Text) == 0 }

// dropBlankFormulas drops the formulas that show nothing. It keeps them where they
// reject the row: in the columns that are read, if the row is not blank. A formula that
// was never computed might show something there.
func (c *collector) dropBlankFormulas(r *xlsx.Row) {
	if !slices.ContainsFunc(r.Cells, isBlank) {
		return
	}
	r.Cells = slices.DeleteFunc(r.Cells, func(cell xlsx.Cell) bool {
		return isBlank(cell) && !(c.found && slices.Contains(c.layout.columns, cell.Column))
	})
	shows := func(cell xlsx.Cell) bool { return !isBlank(cell) || cell.Kind == xlsx.Uncomputed }
	if !slices.ContainsFunc(r.Cells, shows) {
		r.Cells = r.Cells[:0]
	}
}

// look tells whether the row is the header row.
func (c *collector) look(r *xlsx.Row) {
	kept := keep(r)
	for _, f := range c.forms {
		l := matchHeader(kept, f)
		c.found = len(l.missing) == 0
		if c.found || l.found() > c.layout.found() || c.layout.columns == nil {
			c.layout, c.headings = l, f
		}
		if c.found {
			c.dropAdded(r)
			return
		}
	}
}

func (c *collector) keep(r *xlsx.Row) error {
	if c.spool == nil || len(r.Cells) == 0 {
		return nil
	}
	c.right = max(c.right, r.Cells[len(r.Cells)-1].Column)
	return c.spool.put(r)
}

// dropAdded drops the cells that a verdict workbook added.
func (c *collector) dropAdded(r *xlsx.Row) {
	if c.layout.added == 0 {
		return
	}
	r.Cells = slices.DeleteFunc(r.Cells, func(cell xlsx.Cell) bool { return c.layout.isAdded(cell.Column) })
}
