package bounce

import (
	"strings"
	"testing"

	"bascule/internal/conversion"
)

// nested is a delivery status inside so many multiparts.
func nested(depth int) string {
	mail := "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.1.1\n"
	for range depth {
		mail = "Content-Type: multipart/mixed; boundary=b" + strings.Repeat("b", len(mail)) + "\n\n--b" + strings.Repeat("b", len(mail)) + "\n" + mail
	}
	return mail
}

// I8: a mail is taken apart up to bounds that no report reaches. D11: a missing or
// repeated field of a report does not hide that an address is gone.
func TestBounds(t *testing.T) {
	const status = "Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.1.1\n"
	parts := func(n int) string {
		return "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\nContent-Type: image/png\n\nx\n", n) + "--x\n" + status // no end
	}
	for name, test := range map[string]struct {
		mail string
		want conversion.Bounce
	}{
		"deep":                     {nested(maxDepth), conversion.BounceGone},
		"too deep":                 {nested(maxDepth + 1), ""},
		"many parts":               {parts(maxParts - 2), conversion.BounceGone},
		"too many parts":           {parts(maxParts), ""},
		"many headers":             {strings.Repeat("X-A: b\n", maxHeaders-1) + status, conversion.BounceGone},
		"too many headers":         {strings.Repeat("X-A: b\n", maxHeaders) + status, ""},
		"behind a megabyte":        {"Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("x\n", MaxMail/2) + "--x\n" + status, ""},
		"recipients without blank": {"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@b.example\nAction: delayed\nStatus: 4.4.1\nFinal-Recipient: rfc822;c@b.example\nAction: failed\nStatus: 5.1.1\n", conversion.BounceGone},
		"nobody":                   {"Content-Type: message/delivery-status\n\nReporting-MTA: dns;mx.example\n", ""},
		"vague, for a time":        {"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 4.0.0\nDiagnostic-Code: smtp; nothing\n", conversion.BounceLate},
		"a code beside a link":     {"From: MAILER-DAEMON@mx.example\nSubject: Undeliverable\n\nYour message was not delivered: 550 5.1.1 unknown. Click here to learn more.\n", conversion.BounceGone},
		"a link alone":             {"From: MAILER-DAEMON@mx.example\nSubject: Undeliverable\n\nYour message was not delivered. Click here to verify your address.\n", ""},
		"a person who quotes":      {"From: anne@b.example\nReturn-Path: <anne@b.example>\n\nI got this: This is the mail system at host mx.example. It could not be delivered: user unknown.\n", ""},
		"a system without a name":  {"From: x@b.example\nReturn-Path: <>\n\nThis is the mail system at host mx.example. It could not be delivered: user unknown.\n", conversion.BounceGone},
	} {
		if got := Read([]byte(test.mail)).Class; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
