package workbook

import (
	"math"
	"strconv"
	"testing"
)

// A second is told to a few microseconds, or some programs show the one before.
func TestSeconds(t *testing.T) {
	for second := range int64(daySeconds) {
		days, err := strconv.ParseFloat(string(appendSerial(nil, 46351*daySeconds+second)), 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := (days - 46351) * daySeconds; math.Abs(got-float64(second)) > 5e-6 {
			t.Fatalf("second %d of a day is told as %f", second, got)
		}
	}
}
