package importer

import (
	"cmp"
	"slices"
	"strings"
)

// merges are the merged cells of a sheet. The file lists them after its rows,
// so they are resolved when the rows are read back.
type merges []area

type area struct{ left, right, top, bottom int32 }

// maxMerges bounds their memory; a sheet of forms has some thousands.
const maxMerges = 1 << 20

func (m *merges) add(ref string) error {
	first, last, ok := strings.Cut(ref, ":")
	if !ok {
		return nil // one cell alone is not merged
	}
	left, top, ok1 := parseRef([]byte(first))
	right, bottom, ok2 := parseRef([]byte(last))
	if !ok1 || !ok2 || left > right || top > bottom {
		return xmlError("the merged cells " + printable(ref) + " are malformed")
	}
	if len(*m) == maxMerges {
		return xmlError("it has too many merged cells")
	}
	*m = append(*m, area{int32(left), int32(right), int32(top), int32(bottom)})
	return nil
}

// unmerger gives merged cells of the known columns a value each. A cell merged
// downwards stands for every row that it covers. One that begins in another
// column, or above the data, says nothing certain about the column it covers:
// such cells become mergedCell, and their row is rejected.
type unmerger struct {
	columns []mergedColumn
}

type mergedColumn struct {
	column int
	areas  []area // from the top down, disjoint
	value  cell   // of the area that the last row lay in
	top    int32  // of that area
}

// newUnmerger returns nil if no data cell of the columns is merged.
func newUnmerger(m merges, header int, columns []int) (*unmerger, error) {
	var u unmerger
	for _, c := range columns {
		var areas []area
		for _, a := range m {
			if int(a.left) <= c && c <= int(a.right) && int(a.bottom) > header {
				areas = append(areas, a)
			}
		}
		slices.SortFunc(areas, func(a, b area) int { return cmp.Compare(a.top, b.top) })
		for i := 1; i < len(areas); i++ {
			if areas[i].top <= areas[i-1].bottom {
				return nil, refuse("merged cells overlap at %s: separate them", "des cellules fusionnées se chevauchent en %s : séparez-les",
					cellName(c, int(areas[i].top)))
			}
		}
		if len(areas) > 0 {
			u.columns = append(u.columns, mergedColumn{column: c, areas: areas})
		}
	}
	if len(u.columns) == 0 {
		return nil, nil
	}
	return &u, nil
}

// resolve changes the cells of a data row; rows must come in order.
func (u *unmerger) resolve(r *row, header int) {
	if u == nil {
		return
	}
	for i := range u.columns {
		m := &u.columns[i]
		for len(m.areas) > 0 && int(m.areas[0].bottom) < r.line {
			m.areas = m.areas[1:]
		}
		if len(m.areas) == 0 || int(m.areas[0].top) > r.line {
			continue
		}
		r.set(m.cellAt(r, header))
	}
}

// cellAt is the cell of a row that lies in the first area.
func (m *mergedColumn) cellAt(r *row, header int) cell {
	a := m.areas[0]
	switch {
	case int(a.left) != m.column || int(a.top) <= header:
		return cell{column: m.column, kind: mergedCell}
	case int(a.top) == r.line:
		m.value, m.top = r.at(m.column), a.top
	case m.top != a.top: // its first row is blank
		m.value, m.top = cell{column: m.column}, a.top
	}
	return m.value
}

// set replaces a cell or puts it where it belongs.
func (r *row) set(c cell) {
	i, found := slices.BinarySearchFunc(r.cells, c.column, func(have cell, want int) int { return cmp.Compare(have.column, want) })
	if found {
		r.cells[i] = c
		return
	}
	r.cells = slices.Insert(r.cells, i, c)
}
