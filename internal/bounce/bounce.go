// Package bounce reads a mail that came back to a return path, and finds its class
// (D11): a failure report in one of its many forms, a complaint, or neither. It is
// pure: bytes in, a [Report] out, whatever the bytes are.
//
// Forms: RFC 3464 and RFC 6533 reports, whole or inside a multipart/mixed, plain,
// base64 or quoted-printable; RFC 5965 complaints, and Microsoft's; and the plain texts of
// Exim, qmail, sendmail, hMailServer, Exchange and others.
//
// If a code and a text disagree, the code counts, unless it blames the address and the text
// something else: servers give 5.1.1 to a full mailbox, and 5.2.0 to spam. A failure
// without a known reason is [conversion.BouncePolicy]. The person is invited again then:
// one mail too many does less harm than a person left out.
package bounce

import (
	"strings"

	"bascule/internal/conversion"
)

// A Report is the result of reading a mail that came back.
type Report struct {
	// Class is empty for a mail that tells of no failure: a delivery, a reading, an
	// automatic answer, a challenge, a letter.
	Class conversion.Bounce
	// Paths are the places where the return path of our mail may be: the recipients,
	// and in a complaint the fields about our mail. Only a signature proves one of
	// them.
	Paths []string
}

// MaxMail is how much of a mail is read: the report is at its beginning.
const MaxMail = 1 << 20

// recipients are the headers in which mail servers name the recipient of a delivery.
var recipients = []string{"delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to"}

// Read reads one mail. It never fails: bytes that are no mail tell nothing.
func Read(raw []byte) Report {
	left := maxParts
	m := parseEntity(utf8Text(raw[:min(len(raw), MaxMail)], ""), 0, &left)
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
	if part := m.find("message/delivery-status", "message/global-delivery-status"); part != nil && tellsFate(part.body) {
		return reported(part.body, m.text(), address(m.returned().get("to")))
	}
	if m.find("message/disposition-notification", "message/global-disposition-notification") != nil {
		return "" // somebody read or deleted it: it arrived
	}
	if m.returned().get("x-hmxmroriginalrecipient") != "" {
		return conversion.BounceComplaint // Microsoft's form, which is older than RFC 5965
	}
	return textual(m)
}

// complaint is the class of a feedback report (RFC 5965). A person who says that a mail
// was no spam does not complain, nor does a server that tells of signatures.
func complaint(part *entity) conversion.Bounce {
	fields := firstGroup(part.body)
	switch strings.ToLower(fields.get("feedback-type")) {
	case "", "not-spam", "auth-failure", "dmarc":
		return ""
	}
	return conversion.BounceComplaint
}

// complainedOf finds where the return path of our mail is in a complaint: in the
// report, and in the headers of our mail, which comes with it whole or in part.
func complainedOf(m *entity) (paths []string) {
	if part := m.find("message/feedback-report"); part != nil {
		fields := firstGroup(part.body)
		paths = append(paths, fields["original-mail-from"]...)
	}
	original := m.returned()
	for _, name := range []string{"return-path", "x-envelope-from", "authentication-results", "received-spf"} {
		paths = append(paths, original[name]...)
	}
	return paths
}

// returned are the headers of our mail, which comes back whole or in part.
func (m *entity) returned() fields {
	part := m.find("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
	if part == nil {
		return nil
	}
	header, _ := readHeader(part.body)
	return header
}
