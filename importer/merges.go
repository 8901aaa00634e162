package importer

import (
	"cmp"
	"slices"

	"bascule/importer/xlsx"
)

// merges are the merged cells of a sheet. The file lists them after its rows, so they
// are resolved when the rows are read again.
type merges struct {
	areas   []xlsx.Area
	columns []mergedColumn
}

// mergedColumn is a column of the list that has merged data cells.
type mergedColumn struct {
	column int
	areas  []int32 // from the top down, disjoint; there may be a million of them in each column
}

// settle finds the areas that lie in the columns of the header, once the header is
// known.
func (m *merges) settle(header int, columns []int) error {
	slices.SortFunc(m.areas, func(a, b xlsx.Area) int { return cmp.Compare(a.Top, b.Top) })
	for _, c := range columns {
		merged := mergedColumn{column: c}
		bottom := int32(0)
		for i, a := range m.areas {
			if int(a.Left) > c || c > int(a.Right) || int(a.Bottom) <= header {
				continue
			}
			if len(merged.areas) > 0 && a.Top <= bottom {
				return refuse("merged cells overlap at %s: separate them", "des cellules fusionnées se chevauchent en %s\u00a0: séparez-les",
					xlsx.CellName(c, int(a.Top)))
			}
			merged.areas, bottom = append(merged.areas, int32(i)), a.Bottom
		}
		if len(merged.areas) > 0 {
			m.columns = append(m.columns, merged)
		}
	}
	return nil
}

// unmerger gives each merged cell of the known columns a value. A cell merged downwards
// counts for every row that it covers. A cell that begins in another column, or above
// the data, says nothing certain about the column that it covers. Such cells are
// marked, and their row is rejected.
type unmerger struct {
	areas   []xlsx.Area
	columns []unmergedColumn
}

type unmergedColumn struct {
	mergedColumn      // the areas that are still to come
	value        cell // of the area that the last row lay in
	top          int32
}

func newUnmerger(m merges) *unmerger {
	u := &unmerger{areas: m.areas}
	for _, c := range m.columns {
		u.columns = append(u.columns, unmergedColumn{mergedColumn: c})
	}
	return u
}

// resolve changes the cells of a data row. Rows come in order.
func (u *unmerger) resolve(r *row, header int) {
	for i := range u.columns {
		m := &u.columns[i]
		for len(m.areas) > 0 && int(u.areas[m.areas[0]].Bottom) < r.line {
			m.areas = m.areas[1:]
		}
		if len(m.areas) == 0 {
			continue
		}
		if a := u.areas[m.areas[0]]; int(a.Top) <= r.line {
			r.set(m.cellAt(a, r, header))
		}
	}
}

// cellAt is the cell of a row that lies in an area.
func (m *unmergedColumn) cellAt(a xlsx.Area, r *row, header int) cell {
	switch {
	case int(a.Left) != m.column || int(a.Top) <= header:
		return cell{column: m.column, merged: true}
	case int(a.Top) == r.line:
		m.value, m.top = r.at(m.column), a.Top
	case m.top != a.Top: // its first row is blank
		m.value, m.top = cell{column: m.column}, a.Top
	}
	return m.value
}

// set replaces a cell, or inserts it in order.
func (r *row) set(c cell) {
	i, found := slices.BinarySearchFunc(r.cells, c.column, func(have cell, want int) int { return cmp.Compare(have.column, want) })
	if found {
		r.cells[i] = c
		return
	}
	r.cells = slices.Insert(r.cells, i, c)
}
