package importer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"bascule/importer/xlsx"
	"bascule/internal/conversion"
)

// maxNumbers is the most bytes of a list of numbers: a million of them, with the other
// columns of a CSV file.
const maxNumbers = 64 << 20

// Numbers reads a list of subscriber numbers. It is a text with one on each line, or a
// CSV file with a column of that name, otherwise in its first column. It skips blank
// lines, and a first line without a digit, which is a header. It returns a *FileError
// for anything else.
func Numbers(ctx context.Context, in io.Reader) ([]conversion.SubscriberNumber, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxNumbers+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxNumbers {
		return nil, refuse("the list is longer than %d MiB: split it", "la liste dépasse %d Mio\u00a0: répartissez-la en plusieurs fichiers", maxNumbers>>20)
	}
	text := bytes.NewReader(b)
	if err := recogniseList(text, b); err != nil {
		return nil, err
	}
	list := numberList{column: 1}
	if _, err := readCSV(&source{ReaderAt: text, ctx: ctx, size: int64(len(b))}, subscriberForms, list.add); err != nil {
		return nil, refusal(err)
	}
	if len(list.numbers) == 0 {
		return nil, refuse("the list holds no subscriber number", "la liste ne contient aucun numéro d’abonné")
	}
	return list.numbers, nil
}

// recogniseList refuses a file that is no text, and names the form that it should have.
func recogniseList(in io.ReaderAt, b []byte) error {
	if isZip(b) {
		return refuse("the list is a workbook: save the sheet with the numbers as CSV, or write one number on each line of a text",
			"la liste est un classeur\u00a0: enregistrez la feuille des numéros au format CSV, ou écrivez un numéro par ligne dans un texte")
	}
	return recognise(in, int64(len(b)), b[:min(len(b), 512)])
}

// numberList collects the numbers of one column.
type numberList struct {
	numbers []conversion.SubscriberNumber
	column  int
	begun   bool // the first line was read: a header cannot follow
}

func (l *numberList) add(r *xlsx.Row) error {
	row := keep(r)
	if !l.begun {
		l.begun = true
		if header := matchHeader(row, []heading{numberHeading}); header.found() > 0 {
			l.column = header.columns[fieldNumber]
			return nil
		}
		if !slices.ContainsFunc(row.cells, holdsDigit) {
			return nil
		}
	}
	n, err := conversion.ParseSubscriberNumber(row.at(l.column).text)
	if err != nil {
		return &FileError{fmt.Sprintf("line %d of the list: %v", row.line, err), fmt.Sprintf("ligne %d de la liste\u00a0: %s", row.line, frenchOf(err))}
	}
	l.numbers = append(l.numbers, n)
	return nil
}

func holdsDigit(c cell) bool { return strings.ContainsAny(c.text, "0123456789") }
