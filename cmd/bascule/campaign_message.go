package main

import (
	"fmt"

	"bascule/internal/conversion"
	"bascule/internal/mail"
)

// message reads the message in a file. "" is no file and no message.
func (a *app) message(path string) (conversion.Message, error) {
	if path == "" {
		return "", nil
	}
	site, err := a.env.publicURL()
	from := take(&err, func() (mail.Sender, error) { return a.env.mailFrom(conversion.Administration{}) })
	if err != nil {
		return "", err
	}
	said, err := readText(path, maxMessageFile)
	if err != nil {
		return "", fmt.Errorf("--message: %w", err)
	}
	m, err := conversion.ParseMessage(said, conversion.NewOwn(site, from.Address))
	if err != nil {
		return "", fmt.Errorf("--message %s: %w", path, err)
	}
	return m, nil
}

// maxMessageFile is room for a message in any of its characters, and for blanks around.
const maxMessageFile = 8 * conversion.MaxMessage
