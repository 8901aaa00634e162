package importer

import (
	"bufio"
	"bytes"
	"io"
	"slices"

	"bascule/importer/xlsx"
)

// csvReader reads delimited text. Each row is the row of the spreadsheet that it would
// open as: a blank line is a row, too. It holds one row in memory, within bounds. It
// refuses rows that encoding/csv would read whole before it fails.
type csvReader struct {
	in        *bufio.Reader
	delimiter byte
	line      int // of the row read last; rows are counted, not line feeds
	row       xlsx.Row
	text      []byte // of the field
	size      int    // of the row
}

var delimiters = []byte{';', ',', '\t'}

// next reads one row; the row is valid until the next call.
func (c *csvReader) next() (*xlsx.Row, error) {
	first, err := c.in.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] == endOfFile && c.atEnd() {
		return nil, io.EOF
	}
	if c.line++; c.line > xlsx.MaxRows {
		return nil, refuse("the CSV file has more than %d lines, more than a spreadsheet can hold: split it into several files",
			"le fichier CSV compte plus de %d lignes, plus qu’une feuille de calcul n’en contient : répartissez-le en plusieurs fichiers", xlsx.MaxRows)
	}
	c.row.Reset(c.line)
	c.size = 0
	for column := 1; ; column++ {
		more, err := c.field(column)
		if err != nil || !more {
			return &c.row, err
		}
	}
}

// field reads one field and its end; more tells that a delimiter ended it.
func (c *csvReader) field(column int) (more bool, err error) {
	if column > xlsx.MaxColumns {
		return false, refuse("line %d of the CSV file has more than %d fields", "la ligne %d du fichier CSV a plus de %d champs", c.line, xlsx.MaxColumns)
	}
	c.text = c.text[:0]
	b, err := c.in.ReadByte()
	if err == nil && b == '"' {
		if err = c.quoted(); err == nil {
			b, err = c.in.ReadByte()
		}
		for err == nil && b == ' ' { // columns of one width
			b, err = c.in.ReadByte()
		}
		if err == nil && b != c.delimiter && b != '\n' && b != '\r' && (b != endOfFile || !c.atEnd()) {
			return false, refuse("line %d of the CSV file has text behind a closing quote (column %s): double the quotes inside a text",
				"la ligne %d du fichier CSV comporte du texte après un guillemet fermant (colonne %s) : doublez les guillemets à l’intérieur d’un texte", c.line, xlsx.ColumnName(column))
		}
	}
	for err == nil && b != c.delimiter && b != '\n' && b != '\r' {
		if b == endOfFile && c.atEnd() {
			break
		}
		if err = c.put(b); err == nil {
			b, err = c.in.ReadByte()
		}
	}
	if err != nil && err != io.EOF {
		return false, err
	}
	if b == '\r' && err == nil {
		c.skipLineFeed()
	}
	return err == nil && b == c.delimiter, c.row.Add(column, xlsx.Plain, c.text)
}

// endOfFile is Ctrl-Z, which old programs write after the last line.
const endOfFile = 0x1a

// atEnd tells whether nothing but Ctrl-Z and line ends follows.
func (c *csvReader) atEnd() bool {
	rest, err := c.in.Peek(1 << 10)
	return err == io.EOF && len(bytes.Trim(rest, "\x1a\r\n \x00")) == 0
}

func (c *csvReader) skipLineFeed() {
	if b, err := c.in.Peek(1); err == nil && b[0] == '\n' {
		c.in.Discard(1)
	}
}

// quoted reads up to the closing quote; doubled ones stand for one.
func (c *csvReader) quoted() error {
	for {
		b, err := c.in.ReadByte()
		if err == nil && b == '"' {
			if next, err := c.in.Peek(1); err != nil || next[0] != '"' {
				return nil
			}
			c.in.Discard(1)
		}
		if err == io.EOF {
			return refuse("a quote opened in line %d of the CSV file is never closed", "un guillemet ouvert à la ligne %d du fichier CSV n’est jamais fermé", c.line)
		}
		if err != nil {
			return err
		}
		if err := c.put(b); err != nil {
			return err
		}
	}
}

func (c *csvReader) put(b byte) error {
	if b == 0 {
		return refuse("line %d of the CSV file holds a NUL byte: the file is damaged or no text", "la ligne %d du fichier CSV contient un octet nul : le fichier est endommagé ou n’est pas un texte", c.line)
	}
	c.text = append(c.text, b)
	if c.size++; c.size > xlsx.MaxRowText {
		return refuse("line %d of the CSV file is longer than %d bytes (an unclosed quote?)", "la ligne %d du fichier CSV dépasse %d octets (un guillemet non fermé\u00a0?)", c.line, xlsx.MaxRowText)
	}
	return nil
}

// readCSV passes every row of the text that is not blank to emit. It finds the
// delimiter by the header row of one of the forms, and returns it.
func readCSV(file *source, forms []form, emit func(*xlsx.Row) error) (byte, error) {
	if file.size > xlsx.MaxInflated {
		return 0, tooLarge()
	}
	decode, skip, err := detectEncoding(file)
	if err != nil {
		return 0, err
	}
	open := func(delimiter byte) csvReader {
		c := csvReader{in: bufio.NewReaderSize(decode(file.from(skip)), 256<<10), delimiter: delimiter}
		skipHint(c.in)
		return c
	}
	c := open(detectDelimiter(forms, open))
	for {
		r, err := c.next()
		if err == io.EOF {
			return c.delimiter, nil
		}
		if err == nil && len(r.Cells) > 0 {
			err = emit(r)
		}
		if err != nil {
			return 0, err
		}
	}
}

// skipHint skips the line "sep=;" that Excel understands and does not show.
func skipHint(in *bufio.Reader) {
	b, _ := in.Peek(len("sep=;\r\n"))
	if len(b) < 5 || !bytes.EqualFold(b[:4], []byte("sep=")) {
		return
	}
	switch rest := b[5:]; {
	case len(rest) == 0:
		in.Discard(5)
	case rest[0] == '\n':
		in.Discard(6)
	case len(rest) == 2 && rest[0] == '\r' && rest[1] == '\n':
		in.Discard(7)
	}
}

// detectDelimiter reads a text with each delimiter, row beside row, until one of them
// finds the header row. It returns that delimiter, or the one that found most of the
// header. Each reader holds one row in memory. A bad row is refused later, when it is
// read in earnest.
func detectDelimiter(forms []form, open func(delimiter byte) csvReader) byte {
	type candidate struct {
		csvReader
		find  collector
		ended bool
	}
	var candidates []*candidate
	for _, d := range delimiters {
		candidates = append(candidates, &candidate{csvReader: open(d), find: collector{forms: forms}})
	}
	for going := true; going; {
		going = false
		for _, c := range candidates {
			if c.ended {
				continue
			}
			r, err := c.next()
			if err == nil {
				err = c.find.add(r)
			}
			if c.find.found {
				return c.delimiter
			}
			c.ended = err != nil
			going = going || !c.ended
		}
	}
	return slices.MaxFunc(candidates, func(a, b *candidate) int { return a.find.layout.found() - b.find.layout.found() }).delimiter
}
