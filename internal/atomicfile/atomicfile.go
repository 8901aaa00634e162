// Package atomicfile writes files that are complete or absent (I7). Only their owner
// can read them, as the files of bascule name subscribers.
package atomicfile

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes the bytes of write to path, or leaves path untouched, as a File does. If
// write fails or panics, or the disk does, no file is left behind.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard() // also when write panics
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Finish(); err != nil {
		return err
	}
	return f.Commit()
}

// WriteBytes writes a file of these bytes, as Write does.
func WriteBytes(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// A File takes the name path once it is complete. The bytes go to a new file in the
// same folder, and reach the disk with Finish. Only Commit gives the file its name. It
// replaces a file of that name; a link keeps its target. The creator of a File commits
// or discards it.
type File struct {
	path     string // as the caller gave it, for errors
	target   string // the file that it leads to
	temp     *os.File
	buffered *bufio.Writer
	finished bool
}

// Create begins a file that will have that name.
//
// It refuses devices, pipes and folders: renaming over /dev/null would replace it for
// the whole machine.
func Create(path string) (*File, error) {
	target, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, cause(err))
	}
	temp, err := newTemporary(filepath.Dir(target))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &File{path: path, target: target, temp: temp, buffered: bufio.NewWriterSize(named{temp}, 1<<16)}, nil
}

// named removes the temporary name from errors, as it tells nobody anything.
type named struct{ f *os.File }

func (n named) Write(p []byte) (int, error) {
	k, err := n.f.Write(p)
	return k, cause(err)
}

// Name is the path of the bytes until Commit moves them.
func (f *File) Name() string { return f.temp.Name() }

// Write adds to the file. Its errors may come late, from Finish.
func (f *File) Write(p []byte) (int, error) { return f.buffered.Write(p) }

// Finish brings everything to the disk and closes the file. Afterwards the file is
// complete under its temporary name. Only the new name can still be refused.
func (f *File) Finish() error {
	if err := cmp.Or(f.buffered.Flush(), cause(f.temp.Sync()), cause(f.temp.Close())); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	f.finished = true
	return nil
}

// Commit gives a finished file its name. If it fails, the file that had the name keeps
// it. The new file stays complete under its temporary name until it is discarded.
func (f *File) Commit() error {
	if !f.finished {
		return fmt.Errorf("write %s: the file is not finished", f.path)
	}
	if err := os.Rename(f.Name(), f.target); err != nil {
		return fmt.Errorf("write %s: %w", f.path, cause(err))
	}
	syncFolder(filepath.Dir(f.target))
	return nil
}

// Discard deletes the bytes that were written. After Commit there is nothing left to
// delete.
func (f *File) Discard() {
	f.temp.Close()
	os.Remove(f.Name())
}

// resolve follows links: the file that they name is replaced, not the links.
func resolve(path string) (target string, err error) {
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return "", errors.New("it is a link that leads nowhere")
		}
		return path, nil
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("it is a folder: name a file in it, such as %s", filepath.Join(path, "out.xlsx"))
	case !info.Mode().IsRegular():
		return "", errors.New("not a regular file")
	}
	return target, nil
}

// newTemporary makes a file in the folder. Its name is short, whatever the length
// of the final one.
func newTemporary(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, ".bascule-"+rand.Text()+".tmp"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the folder %s does not exist: make it first", folder)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("no permission to write in the folder %s", folder)
	}
	return f, cause(err)
}

// cause is the reason why a name was refused, without the name.
func cause(err error) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// syncFolder makes the new name survive a power cut. Some network file systems refuse
// it. The file is complete under one of its two names either way.
func syncFolder(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	d.Sync()
}
