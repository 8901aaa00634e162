package mail

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
)

// Alert is a mail to the operator, about no subscriber.
type Alert struct {
	Head
	Subject string // one line
	Text    string // plain, one line per line
}

// Alert writes a mail to the operator: headers and content, in the form for a relay.
func (c *Composer) Alert(a Alert) []byte {
	var b bytes.Buffer
	Message{Head: a.Head, From: c.from, Subject: a.Subject}.writeHead(&b)
	writeHeader(&b, "Content-Type", "text/plain; charset=utf-8")
	writeHeader(&b, "Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	io.WriteString(w, strings.ReplaceAll(a.Text, "\n", "\r\n")+"\r\n") // a buffer takes all
	w.Close()
	return b.Bytes()
}
