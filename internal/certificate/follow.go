package certificate

import (
	"io/fs"
	"log/slog"
	"os"
)

// A file is one that is followed: looked at whenever what it holds is used, and
// read again when it changed.
type file struct {
	path    string      // "" if there is none
	info    fs.FileInfo // when it was last read; nil if that failed
	problem string      // what was last said about it, "" if all is well
}

// changed tells whether the file has to be read: another one bears its name, or
// its time or size is another. A change in place within the clock tick of the
// one before, to the same size, is missed: files are better replaced than
// overwritten.
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

// tell logs what became of a change, but not a second time that a file cannot
// be read.
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
