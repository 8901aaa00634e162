package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) firmsCommand() *cobra.Command {
	var campaign string
	sharing := 2
	cmd := &cobra.Command{
		Use:   "firms DIR --campaign NAME",
		Short: "Write a workbook for each address that several spaces share",
		Long: `Writes a workbook for each contact address that several spaces of a campaign share, into
the new folder DIR: its own spaces alone, for the firm to fill in an address for each.
index.xlsx tells which file is for which address, how many spaces that has, and on how
many days their invitations leave at the least. Spaces that are switched, cancelled or
left alone are left out. ` + "`bascule import FILE --firm`" + ` takes what comes back.

Environment: DATABASE_URL, SECRET_KEY.`,
		Example: `  bascule firms cabinets --campaign spring
  bascule firms cabinets --campaign spring --min 6`,
		Args: oneArg("DIR"),
	}
	a.addCampaignTo(cmd, &campaign, "the campaign of this `NAME`")
	cmd.Flags().Var(parsing(&sharing, parseSharing), "min", "only addresses that at least `N` spaces share (default 2)")
	cmd.MarkFlagRequired("campaign")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error { return checkFolder(filepath.Clean(args[0])) }
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, args []string) error {
		if err := db.CheckKeys(ctx, keys); err != nil {
			return err
		}
		c, err := db.Campaign(ctx, campaign)
		if err != nil {
			return err
		}
		return a.writeFirms(filepath.Clean(args[0]), keys, db.SharedSpaces(ctx, c, sharing))
	})
	return cmd
}

func parseSharing(s string) (int, error) {
	n, err := parseCount(s)
	if err != nil || n < 2 {
		return 0, errors.New("it is 2 at the least: an address that one space has is not shared")
	}
	return n, nil
}

// checkFolder refuses a folder that holds anything: a file in it may be one that a firm
// has filled in.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case dir == ".":
		return errors.New("DIR is made anew: name another folder than the present one")
	case len(entries) > 0:
		return fmt.Errorf("the folder %s is not empty: name a new one", dir)
	}
	return nil
}

// writeFirms writes all files beside the folder, which is complete or absent (I7).
func (a *app) writeFirms(dir string, keys *conversion.Keyring, spaces iter.Seq2[sql.SharedSpace, error]) error {
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".bascule-firms-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	var firms, all int
	err = writeSealed(filepath.Join(temporary, "index.xlsx"), importer.FirmIndexKind, func(w io.Writer) error {
		return importer.WriteFirmIndex(w, func(yield func(importer.FirmFile, error) bool) {
			for firm, err := range byAddress(spaces) {
				file := importer.FirmFile{Address: firm.address, Spaces: firm.sharing, Name: "cabinet-" + keys.FirmFile(firm.address) + ".xlsx"}
				firms, all = firms+1, all+firm.sharing
				if err == nil {
					err = writeSealed(filepath.Join(temporary, file.Name), importer.FirmKind, func(w io.Writer) error {
						return importer.WriteFirm(w, keys, firm.spaces)
					})
				}
				if !yield(file, err) {
					return
				}
			}
		})
	})
	if err != nil {
		return err
	}
	if firms == 0 {
		a.printf("No address is shared: nothing is written.\n")
		return nil
	}
	if err := syncFiles(temporary); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return err
	}
	a.printf("%s with %s; %s tells for whom they are.\n", terminal.Count(firms, "workbook", "workbooks"), terminal.Count(all, "space", "spaces"), filepath.Join(dir, "index.xlsx"))
	return nil
}

// writeSealed writes a file of a folder that nobody knows yet.
func writeSealed(path, kind string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := atomicfile.Seal(w, kind, write); err != nil {
		return err
	}
	return cmp.Or(w.Flush(), f.Close())
}

// syncFiles brings all files of a folder to the disk. That is ten times faster than one
// after the other as they are written.
func syncFiles(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return cmp.Or(f.Sync(), f.Close())
	})
}

// A firm is an address that several spaces share.
type firm struct {
	address conversion.Email
	sharing int
	spaces  iter.Seq2[sql.SharedSpace, error] // to be read once, before the next firm
}

// byAddress cuts spaces that are in the order of their addresses.
func byAddress(spaces iter.Seq2[sql.SharedSpace, error]) iter.Seq2[firm, error] {
	return func(yield func(firm, error) bool) {
		next, stop := iter.Pull2(spaces)
		defer stop()
		s, err, ok := next()
		for ok {
			if err != nil {
				yield(firm{}, err)
				return
			}
			f := firm{address: s.Contact.Email, sharing: s.Sharing}
			f.spaces = func(yield func(sql.SharedSpace, error) bool) {
				for ok && (err != nil || s.Contact.Same(f.address)) {
					if !yield(s, err) || err != nil {
						return
					}
					s, err, ok = next()
				}
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}
