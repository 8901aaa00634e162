package devenv

import (
	"bytes"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"

	"bascule/internal/atomicfile"
)

// KeepIn reads the mails that an earlier inbox left in dir. From now on it keeps every
// mail there, as 000001.eml and so on, before the inbox accepts it. The caller calls it
// before the first mail.
func (in *Inbox) KeepIn(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep mails: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.eml")) // sorted: oldest first
	if err != nil {
		return fmt.Errorf("keep mails: %w", err)
	}
	for _, name := range names {
		if err := in.takeUp(name); err != nil {
			return fmt.Errorf("keep mails: %w", err)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.dir = dir
	return nil
}

func (in *Inbox) takeUp(name string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	m := Message{Received: info.ModTime(), Raw: raw}
	if parsed, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
		if to, err := parsed.Header.AddressList("To"); err == nil {
			for _, a := range to {
				m.Recipients = append(m.Recipients, a.Address)
			}
		}
	}
	return in.add(m)
}

// keep writes one mail to the folder, if there is one.
func (in *Inbox) keep(m Message) error {
	if in.dir == "" {
		return nil
	}
	return atomicfile.WriteBytes(filepath.Join(in.dir, m.fileName()), m.Raw)
}
