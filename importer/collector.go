package importer

// headerRows is how many rows that are not blank may stand above the header.
const headerRows = 50

// collector finds the header row of one sheet, and spools the rows that the
// sheet has. It keeps nothing of a sheet without header row.
type collector struct {
	headings []heading
	spool    *spool // nil: look for the header only
	strict   bool   // cells beyond the header shift a row (CSV)

	layout layout // the header; until found, the best of the rows above
	found  bool
	seen   int // rows until the header
	count  int // data rows
	last   int // line of the last row
	right  int // last column that has a cell, of the rows kept
}

// take is called with the rows of the sheet that are not blank, in order.
func (c *collector) take(r *record) error {
	if !c.found {
		if c.seen == headerRows {
			return nil
		}
		c.seen++
		c.look(r)
	} else if c.dropAdded(r); len(r.cells) > 0 {
		c.count++
	}
	return c.keep(r)
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
	if c.seen == headerRows && !c.found {
		return c.spool.reset()
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
	text, cells, from := r.text[:0], r.cells[:0], 0
	for _, s := range r.cells {
		piece := r.text[from:s.end]
		from = s.end
		if !c.layout.isAdded(s.column) {
			text = append(text, piece...)
			cells = append(cells, span{s.column, s.kind, len(text)})
		}
	}
	r.text, r.cells = text, cells
}

// empty tells a sheet on which nothing stands at all.
func (c *collector) empty() bool { return c.seen == 0 }
