package devenv

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// A Mail is the decoded content of a message.
type Mail struct {
	Header      mail.Header
	Text        string // "" if the message has no such part
	HTML        string // the same
	Attachments []Attachment
}

// An Attachment is a file that came with a mail, or any part beside the two.
type Attachment struct {
	Name, Type string
	Content    []byte
}

// Parse decodes a message of ours: UTF-8, in the forms of RFC 5322 and of MIME. It
// fails for a malformed message.
func (m Message) Parse() (Mail, error) {
	read, err := m.read()
	if err != nil {
		return Mail{}, fmt.Errorf("mail %d: %w", m.ID, err)
	}
	parsed := Mail{Header: read.Header}
	if err := parsed.add(textproto.MIMEHeader(read.Header), read.Body, maxNesting); err != nil {
		return Mail{}, fmt.Errorf("mail %d: %w", m.ID, err)
	}
	return parsed, nil
}

// read reads the header and decodes the words in it.
func (m Message) read() (*mail.Message, error) {
	read, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return nil, err
	}
	for _, values := range read.Header {
		for i, value := range values {
			values[i] = decodeWords(value)
		}
	}
	return read, nil
}

func decodeWords(s string) string {
	if decoded, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
		return decoded
	}
	return s
}

// maxNesting is how deep multiparts may be nested. Ours have two levels.
const maxNesting = 8

// add adds a part, or each part of a multipart.
func (m *Mail) add(header textproto.MIMEHeader, body io.Reader, nesting int) error {
	kind, params, err := mime.ParseMediaType(cmp.Or(header.Get("Content-Type"), "text/plain"))
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(kind, "multipart/"):
		return m.addLeaf(kind, header, body)
	case nesting == 0:
		return errors.New("multiparts are nested too deep")
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.add(part.Header, part, nesting-1); err != nil {
			return err
		}
	}
}

// addLeaf takes the first text and the first HTML as the content of the mail.
func (m *Mail) addLeaf(kind string, header textproto.MIMEHeader, body io.Reader) error {
	disposition, params, err := mime.ParseMediaType(cmp.Or(header.Get("Content-Disposition"), "inline"))
	if err != nil {
		return err
	}
	content, err := decodeBody(header.Get("Content-Transfer-Encoding"), body)
	if err != nil {
		return err
	}
	switch {
	case disposition == "inline" && kind == "text/plain" && m.Text == "":
		m.Text = string(content)
	case disposition == "inline" && kind == "text/html" && m.HTML == "":
		m.HTML = string(content)
	default:
		m.Attachments = append(m.Attachments, Attachment{decodeWords(params["filename"]), kind, content})
	}
	return nil
}

func decodeBody(encoding string, body io.Reader) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "", "7bit", "8bit", "binary":
	default:
		return nil, fmt.Errorf("unknown transfer encoding %q", encoding)
	}
	return io.ReadAll(body)
}
