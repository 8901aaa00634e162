// Package atomicfile writes files that are complete or absent (I7).
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes path hold exactly what write wrote, or leaves it untouched: the
// bytes go to a new file in the same folder, reach the disk, and only then take
// the name. A file that was there is replaced and lends its permissions; a link
// keeps pointing where it did. If write fails or panics, or the disk does, no
// file is left behind.
//
// Devices, pipes and folders are refused: renaming over /dev/null would replace
// it for the whole machine.
func Write(path string, write func(io.Writer) error) error {
	target, mode, err := resolve(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := replace(target, mode, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// resolve follows links, so that the file they name is replaced and not they
// themselves. The mode is zero for a file that does not exist.
func resolve(path string) (target string, mode fs.FileMode, err error) {
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("not a regular file")
	}
	return target, info.Mode().Perm(), nil
}

func replace(target string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	f, err := create(filepath.Dir(target))
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed { // also when write panics
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if mode != 0 {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if err := fill(f, write); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	renamed = true
	syncFolder(filepath.Dir(target))
	return nil
}

// create makes a new file in the folder with the permissions any new file gets;
// os.CreateTemp would make it unreadable to the user's group. The name is short,
// whatever the length of the final one.
func create(folder string) (*os.File, error) {
	name := filepath.Join(folder, ".bascule-"+rand.Text()+".tmp")
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

func fill(f *os.File, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(f, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// syncFolder makes the new name survive a power cut. Some network file systems
// refuse it; the file is complete under one of its two names either way.
func syncFolder(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	d.Sync()
}
