package importer

import (
	"errors"
	"fmt"

	"bascule/importer/spill"
	"bascule/importer/xlsx"
)

// A FileError refuses a spreadsheet as a whole: nothing of it was stored. Error is
// English, for the command line; French is for administrators. Both are one line that
// names the problem and the remedy.
type FileError struct{ English, French string }

func (e *FileError) Error() string { return e.English }

// A Warning tells an administrator, in English and in French, something about a file
// that was read all the same.
type Warning struct{ English, French string }

// refuse makes a FileError; both formats take the same arguments in the same order.
func refuse(english, french string, args ...any) *FileError {
	return &FileError{fmt.Sprintf(english, args...), fmt.Sprintf(french, args...)}
}

// refusal makes a FileError of an error of package xlsx, and leaves any other error as
// it is.
func refusal(err error) error {
	if errors.Is(err, spill.ErrFull) {
		return tooLarge()
	}
	if e, ok := errors.AsType[*xlsx.Error](err); ok {
		return &FileError{e.Error(), e.French()}
	}
	return err
}

func tooLarge() *FileError { return &FileError{xlsx.ErrTooLarge.Error(), xlsx.ErrTooLarge.French()} }
