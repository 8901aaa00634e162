// Package bounce reads a mail that came back to a return path, and tells of what
// class it is (D11): a failure report in one of its many forms, a complaint, or
// neither. It is pure: bytes in, a [Report] out, whatever the bytes are.
//
// Forms: RFC 3464 and RFC 6533 reports, whole or inside a multipart/mixed, plain,
// base64 or quoted-printable; RFC 5965 complaints; and the text alone that Exim,
// qmail, sendmail, hMailServer, Exchange and others write.
//
// Where a code and a text disagree the code counts. A failure of which nothing is
// known is [conversion.BouncePolicy]: the person is invited again, for one mail
// too many is a lesser harm than a person left out.
package bounce

import (
	"strings"

	"bascule/internal/conversion"
)

// A Report is what a mail that came back tells.
type Report struct {
	// Class is empty for a mail that tells of no failure: delivered, read, an
	// automatic answer, a challenge, a letter.
	Class conversion.Bounce
	// Paths are where the return path may stand to which the mail came back: its
	// recipients, and for a complaint what it says of the mail complained of.
	// Only a signature proves one of them.
	Paths []string
}

// maxMail is how much of a mail is read: the report stands in front.
const maxMail = 1 << 20

// recipients are the headers by which mail servers tell to whom a mail was delivered.
var recipients = []string{"delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to"}

// Read reads one mail. It never fails: what is no mail tells nothing.
func Read(raw []byte) Report {
	m := parse(raw[:min(len(raw), maxMail)])
	r := Report{Class: classify(m)}
	for _, name := range recipients {
		r.Paths = append(r.Paths, m.header[name]...)
	}
	if r.Class == conversion.BounceComplaint {
		r.Paths = append(r.Paths, complainedOf(m)...)
	}
	return r
}

// classify looks for the surest evidence first.
func classify(m *entity) conversion.Bounce {
	if part := m.find("message/feedback-report"); part != nil {
		return complaint(part)
	}
	if part := m.find("message/delivery-status", "message/global-delivery-status"); part != nil {
		return reported(part.body, m.text())
	}
	if m.find("message/disposition-notification", "message/global-disposition-notification") != nil {
		return "" // it was read, or deleted: it arrived
	}
	return textual(m)
}

// complaint is the class of a feedback report (RFC 5965). Somebody who says that
// a mail was no spam, or whose server tells of signatures, does not complain.
func complaint(part *entity) conversion.Bounce {
	fields := firstGroup(part.body)
	switch strings.ToLower(fields.get("feedback-type")) {
	case "", "not-spam", "auth-failure", "dmarc":
		return ""
	}
	return conversion.BounceComplaint
}

// complainedOf is where the return path of the mail complained of stands: in the
// report, and in the headers of the mail, which comes with it whole or in part.
func complainedOf(m *entity) (paths []string) {
	if part := m.find("message/feedback-report"); part != nil {
		fields := firstGroup(part.body)
		paths = append(paths, fields["original-mail-from"]...)
	}
	if part := m.find("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"); part != nil {
		original, _ := readHeader(part.body)
		paths = append(paths, original["return-path"]...)
		paths = append(paths, original["x-envelope-from"]...)
	}
	return paths
}
