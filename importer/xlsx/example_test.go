package xlsx_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"bascule/importer/xlsx"
)

func ExampleOpen() {
	file, err := os.Open("../testdata/libreoffice.xlsx")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		panic(err)
	}
	book, err := xlsx.Open(context.Background(), file, info.Size())
	if err != nil {
		panic(err)
	}
	defer book.Close()
	for _, sheet := range book.Sheets {
		fmt.Println(sheet.Name)
		err := sheet.Rows(func(row *xlsx.Row) error {
			first := row.Cells[0]
			fmt.Printf("%s %s\n", xlsx.CellName(first.Column, row.Line), first.Text)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	fmt.Println("sound:", book.Verify() == nil)
	// Output:
	// Sheet1
	// A1 numéro d'abonné
	// A2 00123456
	// A3 AB12345678
	// A4 123456789012345
	// A5 123
	// sound: true
}

// An Error is found by its Problem.
func ExampleError() {
	file, err := os.Open("example_test.go")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	_, err = xlsx.Open(context.Background(), file, 100)
	var refused *xlsx.Error
	fmt.Println(errors.As(err, &refused) && refused.Problem == xlsx.BadArchive)
	fmt.Println(err)
	// Output:
	// true
	// the file is a damaged or cut-off workbook (its end is missing): fetch or save it again
}
