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
	column  int
	heading int     // the last column below its heading, if that is merged with others
	areas   []int32 // from the top down, disjoint; there may be a million of them in each column
}

// settle finds the areas that lie in the columns of the header, once the header is
// known.
func (m *merges) settle(header int, columns []int) error {
	slices.SortFunc(m.areas, func(a, b xlsx.Area) int { return cmp.Compare(a.Top, b.Top) })
	for _, c := range columns {
		merged := mergedColumn{column: c}
		bottom := int32(0)
		for i, a := range m.areas {
			if int(a.Left) > c || c > int(a.Right) || int(a.Bottom) < header {
				continue
			}
			if int(a.Top) <= header {
				merged.heading = max(merged.heading, before(columns, c, int(a.Right)))
			}
			if int(a.Bottom) == header {
				continue
			}
			if len(merged.areas) > 0 && a.Top <= bottom {
				return refuse("merged cells overlap at %s: separate them", "des cellules fusionnées se chevauchent en %s\u00a0: séparez-les",
					xlsx.CellName(c, int(a.Top)))
			}
			merged.areas, bottom = append(merged.areas, int32(i)), a.Bottom
		}
		if len(merged.areas) > 0 || merged.heading > c {
			m.columns = append(m.columns, merged)
		}
	}
	return nil
}

// before is the last column up to right that comes before the next column of a field.
func before(columns []int, column, right int) int {
	for _, next := range columns {
		if next > column {
			right = min(right, next-1)
		}
	}
	return right
}

// unmerger gives each merged cell of the known columns a value. A cell merged downwards
// counts for every row that it covers, unless a value of its own is below it, as some
// programs leave it. A cell that begins in another column, or above the data, says nothing
// certain about the column that it covers, nor does a heading over several values. Such
// cells are marked, and their row is rejected.
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
		if r.fills(m.column+1, m.heading) {
			r.set(cell{column: m.column, merged: true})
			continue
		}
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
	if below := r.at(m.column).text; below != "" && below != m.value.text {
		return cell{column: m.column, merged: true}
	}
	return m.value
}

// fills tells whether a row has a value in columns, the last included.
func (r *row) fills(from, to int) bool {
	return slices.ContainsFunc(r.cells, func(c cell) bool { return from <= c.column && c.column <= to })
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
