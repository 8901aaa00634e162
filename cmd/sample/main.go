// Command sample writes a spreadsheet of fictitious subscribers, to try bascule
// out and to measure it.
//
//	go run ./cmd/sample -rows 10000 -seed 1 OUT.xlsx
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"bascule/importer/sample"
	"bascule/internal/atomicfile"
)

func main() {
	rows := flag.Int("rows", sample.Rows, "number of subscribers")
	seed := flag.Int64("seed", 1, "the same seed gives the same subscribers")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: sample [-rows N] [-seed N] OUT.xlsx|OUT.csv")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *rows < 1 || *rows > sample.MaxRows {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *rows, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "sample:", err)
		os.Exit(1)
	}
}

func run(path string, rows int, seed int64) error {
	write := sample.Write
	if strings.HasSuffix(strings.ToLower(path), ".csv") {
		write = sample.WriteCSV
	}
	return atomicfile.Write(path, func(w io.Writer) error { return write(w, rows, seed) })
}
