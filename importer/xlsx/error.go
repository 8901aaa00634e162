package xlsx

import (
	"slices"
	"strconv"
	"strings"

	"bascule/internal/text"
)

// A Problem is the reason why a workbook is refused.
type Problem string

// The problems of a workbook, with the contents of Where and Detail of their Error.
const (
	BadArchive     Problem = "the archive is damaged or cut off" // Detail: how
	BadPart        Problem = "a part is damaged"                 // Where: its name; Detail: how
	BadName        Problem = "an entry of the archive has an unsafe name"
	EmptyArchive   Problem = "the archive is empty"
	TooManyEntries Problem = "the archive has too many entries" // Detail: how many it may have
	NoWorkbook     Problem = "the archive holds no workbook"
	NoSheet        Problem = "the workbook has no worksheet"
	Encrypted      Problem = "the archive needs a password"
	TooLarge       Problem = "the file is too large once unpacked"        // Detail: in GiB, how large it may be
	Bomb           Problem = "a part inflates beyond measure"             // Where: its name; Detail: how many times its size it may have
	Repetition     Problem = "the cells repeat long texts beyond measure" // Detail: how many times the size of the file they may have
	LongRow        Problem = "a row is too long"                          // Where: its line; Detail: how many bytes it may have
	LongCell       Problem = "a cell is too long"                         // Where: its address; Detail: how many characters it may have
)

// An Error refuses a workbook. Its text is English. Callers that need other words go by
// Problem.
type Error struct {
	Problem Problem
	Where   string // a place in the file, as it is written there
	Detail  string
}

func (e *Error) Error() string {
	parts := []string{string(e.Problem), text.Excerpt(e.Where), e.Detail}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// ErrTooLarge is the Error of a file that is TooLarge, however that is found.
var ErrTooLarge = &Error{Problem: TooLarge, Detail: strconv.Itoa(MaxInflated >> 30)}
