package mail

import "bytes"

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
	writeType(&b, "text/plain; charset=utf-8")
	writeQP(&b, a.Text+"\n")
	return b.Bytes()
}
