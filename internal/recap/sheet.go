package recap

import (
	"fmt"
	"iter"
	"strings"

	"github.com/jung-kurt/gofpdf"
)

// The page, in millimetres: A4 with room for a punched binder.
const (
	pageWidth  = 210.0
	left       = 22.0
	bodyWidth  = pageWidth - 2*left
	top        = 17.0
	bottom     = 276.0 // where text ends
	footer     = 280.0
	labelWidth = 52.0
	cellGap    = 4.0 // between two columns
	rowPadding = 1.2

	millimetresPerPoint = 25.4 / 72
)

// style is how a text looks; sizes are in points.
type style struct {
	size   float64
	bold   bool
	colour [3]int
}

func regular(size float64) style  { return style{size, false, [3]int{0x1E, 0x25, 0x2E}} }
func strong(size float64) style   { return style{size, true, [3]int{0x1E, 0x25, 0x2E}} }
func faint(size float64) style    { return style{size, false, [3]int{0x5A, 0x64, 0x70}} }
func accented(size float64) style { return style{size, true, [3]int{0x2B, 0x5B, 0x7E}} }

// leading is the distance of two lines in millimetres.
func (st style) leading() float64 { return 1.38 * st.size * millimetresPerPoint }

// A sheet is the document under construction. It goes from top to bottom and opens a
// page when one is full.
type sheet struct {
	*printable
	pdf   *gofpdf.Fpdf
	y     float64 // the top of the next thing
	style style   // the present style of the page
}

func newSheet(f Facts) *sheet {
	s := &sheet{printable: newPrintable(f), pdf: gofpdf.New("P", "mm", "A4", "")}
	s.pdf.SetCompression(false)
	s.pdf.SetCatalogSort(true)
	s.pdf.SetCreationDate(f.SwitchedAt.UTC()) // a date without zone is UTC (ISO 32000-1, 7.9.4)
	s.pdf.SetModificationDate(f.SwitchedAt.UTC())
	s.pdf.SetTitle("Formulaire récapitulatif de l’espace "+string(s.facts.Number), true)
	s.pdf.SetSubject("Accès sans certificat à l’espace abonné", true)
	s.pdf.SetProducer("bascule", false)
	s.pdf.SetAutoPageBreak(false, 0)
	s.pdf.SetCellMargin(0)
	s.face.install(s.pdf)
	s.newPage()
	return s
}

func (s *sheet) newPage() {
	s.pdf.AddPage()
	s.y = top
}

// need opens a page unless height millimetres are left on this one. It tells whether it
// did.
func (s *sheet) need(height float64) bool {
	if s.y+height <= bottom {
		return false
	}
	s.newPage()
	return true
}

func (s *sheet) use(st style) {
	if s.style.size != st.size || s.style.bold != st.bold {
		weight := ""
		if st.bold {
			weight = "B"
		}
		s.pdf.SetFont(s.face.family, weight, st.size)
	}
	if s.style.colour != st.colour {
		s.pdf.SetTextColor(st.colour[0], st.colour[1], st.colour[2])
	}
	s.style = st
}

// width is the width of encoded text in millimetres.
func (s *sheet) width(st style, encoded string) float64 {
	return float64(s.face.width(encoded, st.bold)) / 1000 * st.size * millimetresPerPoint
}

// put writes one line of encoded text whose top is y. It leaves s.y alone.
func (s *sheet) put(x, y float64, st style, encoded string) {
	s.use(st)
	s.pdf.SetXY(x, y)
	s.pdf.CellFormat(0, st.leading(), encoded, "", 0, "L", false, 0, "")
}

func (s *sheet) line(x float64, st style, text string) {
	s.put(x, s.y, st, s.face.encode(text))
	s.y += st.leading()
}

func (s *sheet) lines(x float64, st style, encoded []string) {
	for _, l := range encoded {
		s.need(st.leading())
		s.put(x, s.y, st, l)
		s.y += st.leading()
	}
}

func (s *sheet) paragraph(x, width float64, st style, text string) {
	s.lines(x, st, s.wrap(strings.Split(text, " "), width, st))
}

// fill draws a rectangle at the left margin.
func (s *sheet) fill(y, width, height float64, colour [3]int) {
	s.pdf.SetFillColor(colour[0], colour[1], colour[2])
	s.pdf.Rect(left, y, width, height, "F")
}

// rule draws a hairline over the whole width.
func (s *sheet) rule(y float64) {
	s.fill(y, bodyWidth, 0.15, [3]int{0xC4, 0xCC, 0xD4})
}

// callout writes a text that must not be missed.
func (s *sheet) callout(head, text string) {
	const padding = 3.5
	st := regular(10)
	body := s.wrap(strings.Split(text, " "), bodyWidth-2*padding-2, st)
	height := 2*padding + st.leading()*float64(1+len(body))
	s.fill(s.y, bodyWidth, height, [3]int{0xEE, 0xF3, 0xF7})
	s.fill(s.y, 1.2, height, accented(10).colour)
	s.y += padding
	s.line(left+padding+2, strong(10), head)
	s.lines(left+padding+2, st, body)
	s.y += padding
}

// right writes a line that ends at the right margin. It leaves s.y alone.
func (s *sheet) right(st style, text string) {
	encoded := s.face.encode(text)
	s.put(pageWidth-left-s.width(st, encoded), s.y, st, encoded)
}

// sectionHeight is the least height of the title of a section, with the space after it.
const sectionHeight = 9.0

// section starts a part of the document. height is the height of the parts that must be
// on the same page, with the title.
func (s *sheet) section(title string, height float64) {
	s.y += 4.8
	s.need(height)
	s.line(left, accented(12.5), title)
	s.y += 0.6
	s.rule(s.y)
	s.y += 1.8
}

// pair writes a name and its value side by side.
func (s *sheet) pair(name, value string, st style) {
	width := bodyWidth - labelWidth
	names := s.wrap(strings.Split(name, " "), labelWidth-cellGap, faint(9.5))
	st = s.shrunk(value, width, st)
	values := s.wrap(strings.Split(value, " "), width, st)
	height := float64(len(names)) * faint(9.5).leading()
	s.need(min(max(height, float64(len(values))*st.leading()), 60))
	y, page := s.y, s.pdf.PageNo()
	for i, l := range names {
		s.put(left, y+float64(i)*faint(9.5).leading(), faint(9.5), l)
	}
	s.lines(left+labelWidth, st, values)
	if s.pdf.PageNo() == page {
		s.y = max(s.y, y+height)
	}
	s.y += 1
}

// smallest is the smallest size of a value, in points.
const smallest = 6.0

// shrunk makes a value without a blank small enough for one line, if it stays readable:
// an address broken in two is copied wrongly.
func (s *sheet) shrunk(value string, width float64, st style) style {
	if strings.Contains(value, " ") {
		return st
	}
	smaller := st
	if actual := s.width(st, s.face.encode(value)); actual > width {
		smaller.size *= 0.995 * width / actual
	}
	if smaller.size < smallest {
		return st
	}
	return smaller
}

// item is a paragraph with a bullet.
func (s *sheet) item(text string) {
	s.bullet()
	s.paragraph(left+5, bodyWidth-5, regular(10), text)
	s.y += 0.8
}

func (s *sheet) bullet() {
	s.need(2 * regular(10).leading())
	s.put(left+1, s.y, accented(10), s.face.encode("•"))
}

// linked writes an item with an address that a click opens, too.
func (s *sheet) linked(text, url string) {
	s.bullet()
	encoded := s.face.encode(text)
	s.put(left+5, s.y, regular(10), encoded)
	x := left + 5 + s.width(regular(10), encoded)
	st := s.shrunk(url, pageWidth-left-x, strong(10))
	lines := s.wrap(strings.Split(url, " "), pageWidth-left-x, st)
	if len(lines) == 1 {
		s.pdf.LinkString(x, s.y, s.width(st, lines[0]), st.leading(), url)
	}
	s.lines(x, st, lines)
	s.y += 0.8
}

// A column of a table: its title, its left edge and its width in millimetres.
type column struct {
	title string
	x     float64
	width float64
}

// A row has the cells of a table's columns. Each cell is a list of units, which are
// broken over lines only if they must.
type row [][]string

// cellStyle and headStyle are the styles of tables.
var (
	cellStyle = regular(9)
	headStyle = faint(8.5)
)

const headRule = 0.8 // between the head of a table and the line below it

// tableHeight is the height of a table on one page. Of a table higher than a page, it
// tells only that it is higher.
func (s *sheet) tableHeight(columns []column, rows iter.Seq[row]) float64 {
	height := headStyle.leading() + headRule
	for r := range rows {
		_, count := s.cells(columns, r, cellStyle)
		if height += rowHeight(count); height > bottom {
			break
		}
	}
	return height
}

// rowHeight is the height of a row of so many lines.
func rowHeight(lines int) float64 { return float64(lines)*cellStyle.leading() + 2*rowPadding }

// table writes rows under a head that each page repeats. A row stays on one page unless
// it is taller than half a page.
func (s *sheet) table(columns []column, rows iter.Seq[row]) {
	st := cellStyle
	s.head(columns)
	for r := range rows {
		cells, count := s.cells(columns, r, st)
		height := rowHeight(count)
		if s.need(min(height, bottom/2)) {
			s.head(columns)
		}
		s.y += rowPadding
		for done := 0; done < count; {
			if s.need(st.leading()) {
				s.head(columns)
				s.y += rowPadding
			}
			n := max(1, min(count-done, int((bottom-s.y)/st.leading()+1e-6)))
			s.band(columns, cells, done, done+n, st)
			done += n
		}
		s.y += rowPadding
		s.rule(s.y)
	}
}

func (s *sheet) head(columns []column) {
	for _, c := range columns {
		s.put(c.x, s.y, headStyle, s.face.encode(c.title))
	}
	s.y += headStyle.leading() + headRule
	s.fill(s.y, bodyWidth, 0.3, faint(9).colour)
}

// cells breaks a row's texts; count is the height of the tallest, in lines.
func (s *sheet) cells(columns []column, r row, st style) (cells [][]string, count int) {
	cells = make([][]string, len(columns))
	for i, c := range columns {
		cells[i] = s.wrap(r[i], c.width-cellGap, st)
		count = max(count, len(cells[i]))
	}
	return cells, count
}

// band writes some lines of every cell, one cell after the other: screen readers read
// in this order.
func (s *sheet) band(columns []column, cells [][]string, from, to int, st style) {
	for j, c := range columns {
		for i := from; i < min(to, len(cells[j])); i++ {
			s.put(c.x, s.y+float64(i-from)*st.leading(), st, cells[j][i])
		}
	}
	s.y += float64(to-from) * st.leading()
}

// footers numbers the pages once their number is known.
func (s *sheet) footers() {
	st := faint(8)
	name := s.face.encode("Formulaire récapitulatif – espace " + string(s.facts.Number))
	count := s.pdf.PageCount()
	for n := 1; n <= count; n++ {
		s.pdf.SetPage(n)
		s.style = style{} // each page starts with its own font
		s.rule(footer)
		s.put(left, footer+1.5, st, name)
		s.y = footer + 1.5
		s.right(st, fmt.Sprintf("page %d / %d", n, count))
	}
}

// wrap breaks units into lines no wider than width millimetres, in the encoding of the
// typeface. It breaks a unit wider than a line at its blanks, otherwise between two
// characters.
func (s *sheet) wrap(units []string, width float64, st style) []string {
	blank := s.width(st, " ")
	var lines []string
	var current []byte
	used := 0.0
	for _, u := range units {
		u = s.face.encode(u)
		w := s.width(st, u)
		if len(current) > 0 && used+blank+w <= width {
			current, used = append(append(current, ' '), u...), used+blank+w
			continue
		}
		if len(current) > 0 {
			lines = append(lines, string(current))
		}
		for w > width {
			n := s.cut(u, width, st)
			lines = append(lines, strings.TrimRight(u[:n], " "))
			u = strings.TrimLeft(u[n:], " ")
			w = s.width(st, u)
		}
		current, used = append(current[:0], u...), w
	}
	return append(lines, string(current))
}

// cut is how many bytes of encoded text fit in a line: up to a blank if there is one,
// at least one character.
func (s *sheet) cut(u string, width float64, st style) int {
	end := s.face.first(u)
	used, blank := s.width(st, u[:end]), 0
	for end < len(u) {
		n := s.face.first(u[end:])
		if used += s.width(st, u[end:end+n]); used > width {
			break
		}
		end += n
		if u[end-1] == ' ' {
			blank = end
		}
	}
	if blank > 0 {
		return blank
	}
	return end
}
