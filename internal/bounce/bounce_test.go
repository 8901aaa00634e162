package bounce

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"bascule/internal/conversion"
)

// signed stands for RETURNPATH in the shapes.
const signed = "retours+12.1.0123456789@bascule.example"

// shape is a mail as a mail server writes it; its folder names its class.
type shape struct {
	name  string
	class conversion.Bounce
	mail  []byte
}

func shapes(t testing.TB) (list []shape) {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.eml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Base(filepath.Dir(file))
		class := conversion.Bounce(folder)
		if folder == "none" {
			class = ""
		}
		list = append(list, shape{strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".eml"), class,
			bytes.ReplaceAll(raw, []byte("RETURNPATH"), []byte(signed))})
	}
	return list
}

// D11: the class of each form of mail servers' reports, and of mails that are none.
// Each is also read with the other line ends, as UTF-16, behind a byte order mark of
// UTF-8, and with bytes of Windows-1252.
func TestShapes(t *testing.T) {
	t.Parallel()
	list := shapes(t)
	if len(list) < 60 {
		t.Fatalf("%d shapes, want all", len(list))
	}
	count := make(map[conversion.Bounce]int)
	for _, s := range list {
		count[s.class]++
		for form, mail := range map[string][]byte{
			"as it is":     s.mail,
			"CRLF":         bytes.ReplaceAll(s.mail, []byte("\n"), []byte("\r\n")),
			"UTF-16":       utf16Of(s.mail),
			"UTF-8 mark":   append([]byte("\xef\xbb\xbf"), s.mail...),
			"Windows-1252": append([]byte("X-Organisation: Cabinet C\xe9line\n"), s.mail...),
			"blank lines":  append([]byte("\r\n\n"), s.mail...),
		} {
			if form == "Windows-1252" && bytes.HasPrefix(s.mail, []byte("From ")) {
				continue // that line is the first of a mail
			}
			if got := Read(mail).Class; got != s.class {
				t.Errorf("%s, %s: %q, want %q", s.name, form, got, s.class)
			}
		}
		if paths := Read(s.mail).Paths; s.name != "none/empty" && !strings.Contains(strings.Join(paths, " "), signed) {
			t.Errorf("%s: the return path is not among %v", s.name, paths)
		}
	}
	for _, class := range append(conversion.Bounces(), "") {
		if count[class] < 3 {
			t.Errorf("%d shapes of class %q", count[class], class)
		}
	}
}

func utf16Of(b []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(b))) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// D11: the meaning of each code and each phrase of a failed delivery.
func TestFailure(t *testing.T) {
	t.Parallel()
	const gone, policy, late = conversion.BounceGone, conversion.BouncePolicy, conversion.BounceLate
	for _, test := range []struct {
		status, said string
		want         conversion.Bounce
	}{
		{"5.1.0", "", gone}, {"5.1.1", "", gone}, {"5.1.2", "", gone}, {"5.1.3", "", gone}, {"5.1.6", "", gone}, {"5.1.10", "", gone},
		{"5.1.7", "", policy}, {"5.1.8", "", policy}, {"5.1.20", "", policy}, {"5.1.90", "you've reached your daily limit", policy}, {"5.1.1", "mailbox full", policy},
		{"5.1.0", "554 5.1.0 Sender denied", policy}, {"5.1.0", "550 Sender address rejected: User unknown in local recipient table", policy}, {"5.1.0", "Domain x.example does not accept mail (nullMX)", gone},
		{"5.1.0", "5.1.0 - Unknown address error ('550', ['<anne@x.example>... Relaying denied'])", policy}, {"5.1.0", "5.1.0 - Unknown address error ('550', ['There is no such active account.'])", gone},
		{"5.2.1", "The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.", policy},
		{"5.1.1", "552 5.1.1 Boite du destinataire pleine. Recipient overquota.", policy}, {"5.1.1", "user over quota. (#5.1.1)", policy},
		{"5.1.1", "550 5.1.1 Recipient address rejected: undeliverable address: host mx.x.example said: 554 Client host blocked using x.example", policy},
		{"5.1.1", "550 5.1.1 Recipient address rejected: x.example", gone}, {"5.1.1", "550 5.1.1 unknown user, see https://x.example/antispam", gone},
		{"5.1.0", "554 5.1.0 Message rejected due to spam content", policy}, {"5.1.0", "501 5.1.0 Emetteur invalide. Invalid Sender.", policy}, {"5.1.1", "550 5.1.1 Sender verify failed", policy},
		{"5.1.1", "550 5.1.1 bad address\nX-Spam-Status: No\nX-Virus-Scanned: amavis\nContent-Type: text/plain", gone},
		{"5.2.1", "550 5.2.1 Content Filter agent quarantined this message", policy}, {"5.2.1", "550 5.2.1 This mailbox is temporarily locked", policy},
		{"5.2.1", "550 5.2.1 The email account that you tried to reach is inactive.", gone},
		{"5.2.1", "", gone}, {"5.2.2", "", policy}, {"4.2.2", "", policy}, {"5.2.2", "no such user", policy}, {"5.2.0", "", policy}, {"5.2.3", "", policy},
		{"5.2.0", "no such user", gone}, {"5.3.0", "User unknown", gone}, {"5.3.4", "", policy}, {"5.5.0", "mailbox unavailable", policy},
		{"5.7.1", "user unknown", policy}, {"4.7.0", "greylisted", policy}, {"5.7.26", "", policy}, {"5.6.0", "", policy},
		{"4.4.7", "", late}, {"5.4.7", "", late}, {"4.4.1", "no such user", late}, {"4.1.1", "", late}, {"4.2.1", "", late}, {"4.0.0", "", late},
		{"4.0.0", "450 user unknown, try again", late}, {"4.0.0", "DNS type 'mx' lookup of x.example responded with code NXDOMAIN Domain name not found: x.example", gone},
		{"4.0.0", "DNS type 'mx' lookup of x.example responded with code SERVFAIL", late}, {"", "all relevant MX records point to non-existent hosts", gone}, {"", "an MX or SRV record indicated no SMTP service", gone},
		{"", "mailbox is full: retry timeout exceeded", policy}, {"5.5.0", "Boîte aux lettres inactive", gone}, {"", "550 Cette boite aux lettres est cloturee", gone}, {"", "550 L adresse n existe pas", gone}, {"", "450 no such user", late},
		{"", "550 Votre message pour le destinataire anne@x.example a été supprimé : virus", policy}, {"", "554 Le message à l’adresse anne@x.example a été suspendu (spam)", policy},
		{"", "550 Le compte anne@x.example est suspendu", gone}, {"", "550 Cette adresse a été supprimée", gone}, {"", "550 Utilisateur supprimé", gone},
		{"5.4.1", "", late}, {"5.4.4", "Host not found", late}, {"5.4.4", "Host or domain name not found", gone}, {"5.4.6", "", late},
		{"", "550 no such user here", gone}, {"", "550 Invalid recipient", gone}, {"", "554 user does not exist", gone},
		{"", "552 1 Requested mail action aborted, mailbox not found", gone}, {"5.4.310", "DNS domain cabinet.example does not exist", gone},
		{"", "552 too much mail data", policy}, {"", "550 mailbox is full", policy}, {"", "554 rejected by our policy", policy},
		{"5.5.0", "550 5.5.0 Boite du destinataire desactivee.", gone}, {"", "552 Boite aux lettres pleine, destinataire inconnu", policy}, {"", "552 Das Postfach ist voll", policy},
		{"5.0.0", "User anne (anne@x.example) not listed in Domino Directory", gone}, {"", "550 This mailbox doesn’t exist", gone},
		{"", "550-Verification failed for <a@x.example>\n550-No Such User Here\n550 Sender verify failed", policy}, {"5.0.0", "550 Client host rejected: reverse DNS address not found", policy},
		{"", "550 Sender address rejected: Domain not found", policy}, {"", "550 SPF check failed: domain x.example does not exist", policy},
		{"", "Remote host said: 550 User unknown\nGiving up on 192.0.2.1.", gone},
		{"", "Retour à l’expéditeur : destinataire inconnu", gone}, {"", "Zurück an Absender: Empfänger unbekannt", gone}, {"", "550 Adresse de l’expéditeur refusée : domaine inexistant", policy}, {"", "554 Expéditeur inconnu", policy}, {"", "550 L'adresse d'expéditeur est inexistante", policy},
		{"", "554 Votre adresse IP est inconnue", policy}, {"", "550 Absender unbekannt", policy}, {"", "550 Die Absenderdomain konnte nicht gefunden werden", policy},
		{"", "550 Unknown user\nReceived-SPF: pass\nDKIM-Signature: v=1; a=rsa-sha256\nAuthentication-Results: x.example; dkim=pass; spf=pass", gone},
		{"", "550 dmarc=fail, the domain x.example does not exist", policy}, {"", "550 Domain of sender address a@x.example does not exist", policy}, {"", "550 no SPF, the domain x.example does not exist", policy},
		{"", "550 Too many invalid recipients", policy}, {"", "554 Your IP address is unknown", policy},
		{"", "451 try again later", late}, {"", "550 5.1.1", policy}, {"", "", policy}, {"5.0.0", "", policy}, {"", "account expired: no such account", gone}, {"5.4.7", "no such user", late},
	} {
		if got := failure(enhanced(test.status), test.said); got != test.want {
			t.Errorf("%s %q: %q, want %q", test.status, test.said, got, test.want)
		}
	}
}

// D11: the words of a mail without a report count however they are written: in HTML, over
// two lines, in an encoded subject.
func TestWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header, text string
		want         conversion.Bounce
	}{
		"entities":                     {"Subject: Non remis\nContent-Type: text/html\n", "<p>&Eacute;chec de la remise</p> L&#39;adresse que vous avez entr&eacute;e est introuvable.", conversion.BounceGone},
		"two lines":                    {"Subject: Votre code\n", "Your message could not\nbe delivered: no such\nuser", conversion.BounceGone},
		"a subject in UTF-8":           {"Subject: =?utf-8?B?VW56dXN0ZWxsYmFyOiBWb3RyZSBjb2Rl?=\n", "anne@x.example: Benutzer unbekannt", conversion.BounceGone},
		"a subject in Latin-1":         {"Subject: =?iso-8859-15?Q?Message_non_distribu=E9?=\n", "anne@x.example: utilisateur inconnu", conversion.BounceGone},
		"an apostrophe of a book":      {"Subject: Votre code\n", "Le message n’a pas pu être remis\u00a0: délai de remise dépassé", conversion.BounceLate},
		"without pas":                  {"Subject: Retour\n", "Votre message n'a pu être délivré, la boîte est inexistante", conversion.BounceGone},
		"not sent":                     {"Subject: Retour\n", "L’envoi de votre message à anne@x.example a échoué : compte inexistant.", conversion.BounceGone},
		"put off":                      {"Subject: Remise différée\n", "Nous réessaierons pendant 5 jours.", conversion.BounceLate},
		"not yet":                      {"Subject: Avertissement\n", "Votre message n’a pas encore été remis à anne@x.example. Nous essayons pendant 5 jours.", conversion.BounceLate},
		"not yet, in German":           {"Subject: Warnung\n", "Ihre Nachricht an anne@x.example konnte noch nicht zugestellt werden.", conversion.BounceLate},
		"Haraka":                       {"Subject: failed mail delivery\n", "Some recipients failed: <anne@x.example>: 550 5.1.1 No such user", conversion.BounceGone},
		"SmarterMail":                  {"From: System Administrator <admin@x.example>\nSubject: Delivery Failure\n", "Could not deliver message to the following recipient(s):\n\nFailed Recipient: anne@x.example\nReason: Remote host said: 550 unknown user", conversion.BounceGone},
		"James":                        {"From: post_master@x.example\nSubject: [BOUNCE]\n", "Sorry, I was unable to deliver your message. Error message below:\n550 - Requested action not taken: no such user here", conversion.BounceGone},
		"MDaemon":                      {"From: MDaemon@x.example\nSubject: Warning: anne@x.example - User unknown!\n", "anne@x.example - no such user here.", conversion.BounceGone},
		"postponed":                    {"Subject: Mail Delivery Warning\n", "Delivery of email to this address has been postponed due to a full mailbox.", conversion.BounceLate},
		"a report without its fields":  {"From: \nSubject: Retour\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n", "--b\n\nA message could not be delivered to: anne@x.example\nL'adresse de messagerie n'existe pas.\n--b--\n", conversion.BounceGone},
		"our mail after it, of IONOS":  {"Subject: Mail delivery failed\n", "Mail size limit exceeded.\n\n--- The header of the original message is following. ---\n\nX-Note: no such user\n", conversion.BouncePolicy},
		"our mail after it, in French": {"Subject: Non remis\n", "Le message n'a pas pu être remis.\n\nEn-têtes d'origine :\n\nX-Note: no such user\n", conversion.BouncePolicy},
		"blocked":                      {"Subject: Message you sent blocked by our bulk email filter\n", "It has NOT BEEN DELIVERED.", conversion.BouncePolicy},
		"an answer":                    {"From: anne@x.example\nReturn-Path: <>\nSubject: Absence\n", "This answer is generated by the system of our firm. A letter that was returned to sender, please mail again.", ""},
		"a challenge":                  {"Subject: Votre code\n", "It has not been delivered. Click here to confirm your address.", ""},
	} {
		if got := Read([]byte(test.header + "From: postmaster@x.example\n\n" + test.text)).Class; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// RFC 3464: the action says what became of a mail, then the status, and the words
// of the other side only where that one is vague.
func TestRecipient(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]conversion.Bounce{
		"Action: delivered\nStatus: 5.1.1\n":                                                                                               "",
		"Action: relayed\nStatus: 4.0.0\n":                                                                                                 "",
		"Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n":                                                   conversion.BouncePolicy,
		"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 over quota\n":                                                     conversion.BouncePolicy,
		"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 no mail for you\n":                                                conversion.BounceGone,
		"Action: faild\nStatus: 5.1.1\n":                                                                                                   conversion.BounceGone,
		"Action: failed\nStatus: 5.1.0\nDiagnostic-Code: smtp; 5.1.0 - Unknown address error 550-'5.7.1 blocked' (delivery attempts: 0)\n": conversion.BouncePolicy,
		"Action: failed\nStatus: 5.1.0\nDiagnostic-Code: smtp; 5.1.0 - Unknown address error 550-'5.1.1 unknown' (delivery attempts: 0)\n": conversion.BounceGone,
		"Status: 2.1.5\n": "",
	} {
		if got := reported([]byte(status), "", ""); got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
	text := "User unknown\n\n------ This is a copy of your mail ------\nX-Note: your IP\n"
	if got := reported([]byte("Action: failed\nStatus: 5.0.0\n"), text, ""); got != conversion.BounceGone {
		t.Errorf("the words before our mail: %q", got)
	}
}

// D11: a mail of ours has one recipient, and its own headers name it. What a report tells
// of others does not count, unless it names only those to whom a server passed it on.
func TestOneRecipient(t *testing.T) {
	t.Parallel()
	const gone, late = conversion.BounceGone, conversion.BounceLate
	group := func(recipient, action, code string) string {
		return "Final-Recipient: rfc822; " + recipient + "\nAction: " + action + "\nStatus: " + code + "\n\n"
	}
	ours, other, another := "<Anne@x.example>", "other@x.example", "another@x.example"
	for name, test := range map[string]struct {
		status string
		want   conversion.Bounce
	}{
		"ours delivered, another failed":  {group(ours, "delivered", "2.0.0") + group(other, "failed", "5.1.1"), ""},
		"another failed, ours late":       {group(other, "failed", "5.1.1") + group(ours, "delayed", "4.4.1"), late},
		"another delivered, ours failed":  {group(other, "delivered", "2.0.0") + group(ours, "failed", "5.1.1"), gone},
		"passed on, and one of them late": {group(other, "failed", "5.1.1") + group(another, "delayed", "4.4.1"), gone},
		"passed on by name": {"Original-Recipient: rfc822;anne@x.example\n" + group(other, "delayed", "4.4.1") +
			group(another, "failed", "5.1.1"), late},
	} {
		mail := "From: MAILER-DAEMON@relay.example\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n" +
			"Reporting-MTA: dns; relay.example\n\n" + test.status +
			"--b\nContent-Type: text/rfc822-headers\n\nTo: anne@x.example\nSubject: x\n\n--b--\n"
		if got := Read([]byte(mail)).Class; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// RFC 3463 codes, however they are adorned; numbers that only look like one are none.
func TestEnhanced(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"5.1.1": "5.1.1", "5.1.1 (bad mailbox)": "5.1.1", "#5.1.0": "5.1.0", "(5.1.1)": "5.1.1", "5.1.1:": "5.1.1", "5.1.1.": "5.1.1",
		"smtp; 550-5.1.1 x": "5.1.1", "<mx #5.1.1>": "5.1.1", "550 #5.1.0 x": "5.1.0", "x 4.4.7": "4.4.7", "2.0.0": "2.0.0",
		"": "", "5.1": "", "192.5.1.1": "", "5.1.1.7": "", "15.1.1": "", "3.1.1": "", "5.1234.1": "",
	} {
		if got := enhanced(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// D17: a complaint tells of our return path by the report, or by the headers of
// the mail complained of. A failure does not: its text returns what anybody wrote.
func TestPaths(t *testing.T) {
	t.Parallel()
	body := []byte("From: MAILER-DAEMON@relay.example\nTo: someone@bascule.example\nSubject: failure notice\n" +
		"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nAction: failed\nStatus: 5.1.1\n" +
		"--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: <anne@x.example>\nReturn-Path: <" + signed + ">\n\nx\n--b--\n")
	r := Read(body)
	if r.Class != conversion.BounceGone || !slices.Equal(r.Paths, []string{"someone@bascule.example"}) {
		t.Errorf("a failure: %+v", r)
	}
}

// I8: reading any bytes ends soon and takes a bounded amount of memory.
func TestHostile(t *testing.T) {
	t.Parallel()
	nested := "From: MAILER-DAEMON@x.example\n"
	for i := range 1000 {
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	for name, mail := range map[string]string{
		"nested":         nested,
		"many parts":     "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n", 200_000),
		"many headers":   strings.Repeat("a: b\n", 200_000),
		"one fold":       "To: x\n" + strings.Repeat(" y\n", 20_000),
		"many groups":    "Content-Type: message/delivery-status\n\n" + strings.Repeat("Final-Recipient: x\n", 50_000),
		"no end":         "Content-Type: multipart/mixed; boundary=b\n\n--b",
		"empty boundary": "Content-Type: multipart/mixed; boundary=\n\n--\n--\n",
		"zeros":          strings.Repeat("\x00", MaxMail+10),
		"long line":      "From: MAILER-DAEMON@x.example\nSubject: " + strings.Repeat("not delivered ", 50_000),
	} {
		if got := Read([]byte(mail)).Class; got != "" && got != conversion.BouncePolicy {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzRead: no bytes make it panic, and a class is one of those that there are.
func FuzzRead(f *testing.F) {
	for _, s := range shapes(f) {
		f.Add(s.mail)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := Read(raw)
		if r.Class != "" && !slices.Contains(conversion.Bounces(), r.Class) {
			t.Errorf("the class is %q", r.Class)
		}
	})
}
