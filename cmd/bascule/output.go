package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bascule/internal/atomicfile"
)

// addForceTo adds the flag that lets an output replace an existing file.
func (a *app) addForceTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.force, "force", false, "replace whatever file has the name")
}

// checkOutput refuses a name that no workbook, or CSV file, should have, and an existing
// file: without --force, only a workbook of the same kind, as bascule wrote it, is
// replaced.
func (a *app) checkOutput(path, kind string, asCSV bool) error {
	if asCSV {
		return a.checkCSV(path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it, such as %s", path, filepath.Join(path, kind+".xlsx"))
	}
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".xlsx":
	case ".csv", ".xls", ".ods":
		return usagef("%s: only .xlsx is written; name it %s, and save it as %s in a spreadsheet program if you need that",
			path, strings.TrimSuffix(path, filepath.Ext(path))+".xlsx", ext)
	default:
		return usagef("%s: the name of a workbook ends in .xlsx", path)
	}
	err := atomicfile.Free(path, kind)
	if _, taken := errors.AsType[*atomicfile.TakenError](err); taken && a.force {
		return nil
	} else if taken {
		return fmt.Errorf("%w: give another name, or --force to replace it", err)
	}
	return err
}

// checkCSV refuses any existing file: nobody can tell whether somebody changed it.
func (a *app) checkCSV(path string) error {
	if !strings.EqualFold(filepath.Ext(path), ".csv") {
		return usagef("%s: the name of a CSV file ends in .csv", path)
	}
	_, err := os.Stat(path)
	switch {
	case err == nil && !a.force:
		return fmt.Errorf("%s exists already: give another name, or --force to replace it", path)
	case err == nil || errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}
