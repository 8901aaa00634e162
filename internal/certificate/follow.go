package certificate

import (
	"io/fs"
	"log/slog"
	"os"
)

// A file is a file that is followed: each use of its contents looks at it, and reads it
// again if it changed.
type file struct {
	path    string      // "" if there is none
	info    fs.FileInfo // when it was last read; nil if that failed
	problem string      // the latest log about it, "" if all is well
}

// changed tells whether the file must be read: another file has its name, or its time
// or size is another. It misses a change in place to the same size within the clock
// tick of the change before. Files are better replaced than overwritten.
func (f *file) changed() bool {
	if f.path == "" {
		return false
	}
	info, err := os.Stat(f.path)
	if err != nil || f.info == nil {
		return true
	}
	return !os.SameFile(info, f.info) || !info.ModTime().Equal(f.info.ModTime()) || info.Size() != f.info.Size()
}

// read returns the contents. After an error the next look reads it again.
func (f *file) read() ([]byte, error) {
	info, err := os.Stat(f.path) // before the contents: a change between the two is seen as one
	f.info = nil
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	f.info = info
	return content, nil
}

// tell logs the result of a change. It does not log a second time that a file cannot be
// read.
func (f *file) tell(log *slog.Logger, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	repeated := problem == f.problem && f.info == nil
	f.problem = problem
	switch {
	case repeated:
	case err != nil:
		log.Error("file not taken over: what it held before stays in force", "error", problem)
	default:
		log.Info("file read again", "file", f.path)
	}
}
