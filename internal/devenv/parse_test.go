package devenv

import (
	"fmt"
	"strings"
	"testing"
)

func message(lines ...string) Message {
	return Message{ID: 1, Raw: []byte(strings.Join(lines, "\r\n") + "\r\n")}
}

// The content of a mail is decoded, whatever the encoding of its parts and names. A
// part that is neither the first text nor the first HTML is an attachment.
func TestParse(t *testing.T) {
	const part, end = "--b", "--b--"
	for _, c := range []struct {
		name    string
		message Message
		want    string // text | HTML | attachments
	}{
		{"no type", message("Subject: x", "", "un été"), "un été\r\n||"},
		{"quoted-printable", message("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: Quoted-Printable", "", "un =C3=A9t=\r\n=C3=A9"), "un été\r\n||"},
		{"base64", message("Content-Type: text/html", "Content-Transfer-Encoding: BASE64", "", "PGI+w6k8", "L2I+"), "|<b>é</b>|"},
		{"binary", message("Content-Transfer-Encoding: binary", "", "=41"), "=41\r\n||"},
		{"names", message("Content-Type: multipart/mixed; boundary=b", "",
			part, "Content-Disposition: attachment; filename*=utf-8''r%C3%A9cap.pdf", "Content-Type: application/pdf", "", "1",
			part, `Content-Disposition: attachment; filename="=?utf-8?q?r=C3=A9cap?="`, "Content-Type: text/plain", "", "2",
			part, "Content-Disposition: attachment", "Content-Type: text/html", "", "3",
			part, "Content-Type: image/png", "", "4", end),
			"||récap.pdf application/pdf 1, récap text/plain 2,  text/html 3,  image/png 4"},
		{"twice", message("Content-Type: multipart/mixed; boundary=b", "", part, "", "a", part, "", "b",
			part, "Content-Type: text/html", "", "c", part, "Content-Type: text/html", "", "d", end),
			"a|c| text/plain b,  text/html d"},
		{"no header", message("no header at all"), "error"},
		{"a type that is none", message("Content-Type: text/", "", "x"), "error"},
		{"a disposition that is none", message("Content-Disposition: ;", "", "x"), "error"},
		{"an unknown encoding", message("Content-Transfer-Encoding: uuencode", "", "x"), "error"},
		{"broken base64", message("Content-Transfer-Encoding: base64", "", "****"), "error"},
		{"no boundary", message("Content-Type: multipart/mixed", "", "x"), "error"},
		{"no end", message("Content-Type: multipart/mixed; boundary=b", "", part, "", "x"), "error"},
		{"as deep as may be", nested(maxNesting), "x||"},
		{"too deep", nested(maxNesting + 1), "error"},
	} {
		if got := told(c.message); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func told(m Message) string {
	mail, err := m.Parse()
	if err != nil {
		return "error"
	}
	var attached []string
	for _, a := range mail.Attachments {
		attached = append(attached, a.Name+" "+a.Type+" "+string(a.Content))
	}
	return mail.Text + "|" + mail.HTML + "|" + strings.Join(attached, ", ")
}

// nested is a text in so many multiparts.
func nested(n int) Message {
	lines := []string{"", "x"}
	for i := range n {
		head := []string{fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d", i), "", fmt.Sprintf("--b%d", i)}
		lines = append(append(head, lines...), fmt.Sprintf("--b%d--", i))
	}
	return message(lines...)
}

// The words of a header are decoded, folded or not. A word that only looks encoded
// stays.
func TestParseHeader(t *testing.T) {
	mail, err := message("From: =?utf-8?q?Espace_abonn=C3=A9?= <a@b.example>",
		"Subject: =?utf-8?q?=C3=A9t=C3=A9?=", " =?utf-8?b?IMOgIFBhcmlz?=", "X-Odd: =?utf-9?q?x?=", "", "x").Parse()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"From": "Espace abonné <a@b.example>", "Subject": "été à Paris", "X-Odd": "=?utf-9?q?x?="} {
		if got := mail.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
