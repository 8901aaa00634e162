package mail

import (
	"bytes"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const helpText = `L’assistance aux usagers vous répond de 8 h 00 à 19 h 30, du lundi au vendredi :
- par téléphone, au 01 99 00 00 00 (prix d’un appel local) ;
- par formulaire, sur https://assistance.example/contact`

func code(t testing.TB) conversion.Code {
	t.Helper()
	c, err := conversion.ParseCode("7K3M-Q9XT-2HBD")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func office(t testing.TB) Office {
	return Office{
		From:           Sender{Name: "Espace abonné", Address: devtest.Email(t, "ne-pas-repondre@espace.example")},
		Administration: conversion.Administration{Name: "Direction départementale des finances publiques de l’Exemple & Fils", Short: "DDFiP Exemple"},
		PublicURL:      "https://espace.example", Help: helpText, Certificates: true,
	}
}

func composer(t testing.TB) *Composer {
	t.Helper()
	c, err := NewComposer(office(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	sentAt      = time.Date(2026, 11, 23, 7, 0, 29, 0, time.UTC)
	deadline    = sentAt.Add(48 * time.Hour)
	certificate = time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
)

func head(t testing.TB, kind, to string) Head {
	return Head{
		ID: MessageID(kind, 42, 1, 0, "espace.example"), Date: sentAt,
		To: devtest.Email(t, to),
	}
}

func letter(t testing.TB, kind Kind, to string) Letter {
	return Letter{Head: head(t, string(kind), to), Kind: kind, Number: "0012345678", Holder: "Jeanne Éxemple & Fils", At: sentAt}
}

func activation(t testing.TB) Letter {
	l := letter(t, KindCode, "jeanne.o'hara+fisc@cabinet.example")
	l.ID = MessageID("activation", 42, 1, 0, "espace.example")
	l.Code, l.Deadline, l.Certificate, l.Sharing = code(t), deadline, certificate, 1
	return l
}

// samples are one mail of each wording that differs.
func samples(t testing.TB) map[string]Message {
	past := certificate.AddDate(0, 0, -39)
	const said = "Permanence le 12 mars <à 8 h 30>\u00a0: venez\u00a0!\n\nVoir https://espace.example/aide & {0}."
	none := func(*Letter) {}
	other := func(l *Letter) { l.Other = devtest.Email(t, "direction@fils.example") }
	coded := func(until time.Duration) func(*Letter) {
		return func(l *Letter) { l.Code, l.Deadline = code(t), sentAt.Add(until) }
	}
	reminder := letter(t, "reminder", "jeanne.o'hara+fisc@cabinet.example")
	reminder.Code, reminder.Deadline, reminder.Certificate = code(t), deadline.Add(-24*time.Hour), certificate
	notice := letter(t, "notice", "jeanne@cabinet.example")
	notice.ID = MessageID("other_address", 42, 1, 0, "espace.example")
	expired := letter(t, "expired", "jeanne@cabinet.example")
	expired.Deadline, expired.Certificate = sentAt.Add(-time.Hour), certificate
	c, all := composer(t), make(map[string]Message)
	for name, sample := range map[string]struct {
		letter Letter
		change func(*Letter)
	}{
		"activation":             {activation(t), none},
		"activation_shared":      {activation(t), func(l *Letter) { l.Sharing = 3 }},
		"activation_past":        {activation(t), func(l *Letter) { l.Certificate = past }},
		"activation_unknown":     {activation(t), func(l *Letter) { l.Certificate = time.Time{} }},
		"activation_chosen":      {activation(t), func(l *Letter) { l.Chosen = true }},
		"activation_taken":       {activation(t), func(l *Letter) { l.Taken, l.Sharing = true, 2 }},
		"activation_message":     {activation(t), func(l *Letter) { l.Sharing, l.Message = 3, said }},
		"reminder":               {reminder, none},
		"reminder_past":          {reminder, func(l *Letter) { l.Certificate = past }},
		"reminder_message":       {reminder, func(l *Letter) { l.Message = said }},
		"other_address":          {notice, func(l *Letter) { other(l); l.Deadline = deadline }},
		"other_address_opted":    {notice, other},
		"other_address_dropped":  {notice, func(l *Letter) { l.Deadline = deadline }},
		"other_address_late":     {notice, none},
		"confirmation":           {letter(t, "confirmation", "direction@fils.example"), func(l *Letter) { l.Recap = []byte("%PDF-1.3 a recap\n") }},
		"expired":                {expired, none},
		"expired_no_certificate": {expired, func(l *Letter) { l.Certificate = past }},
		"switched":               {letter(t, "switch-notice", "jeanne@cabinet.example"), other},
		"password":               {letter(t, "password-notice", "direction@fils.example"), none},
		"siege":                  {letter(t, "siege-notice", "direction@fils.example"), none},
		"identifier":             {letter(t, "identifier", "direction+fisc@fils.example"), coded(conversion.ResetLifetime)},
		"moved":                  {letter(t, "identifier-notice", "direction@fils.example"), none},
		"reset":                  {letter(t, "reset", "direction+fisc@fils.example"), coded(conversion.ResetLifetime)},
	} {
		sample.change(&sample.letter)
		all[name] = c.Write(sample.letter)
	}
	return all
}

// A line of a header that has an encoded word has 76 characters at the most (RFC 2047 §2),
// whatever the subject, and reads back as it was. A subject begins on the line of its name.
func TestHeaderWidth(t *testing.T) {
	m := samples(t)["activation"]
	for _, subject := range []string{
		m.Subject, "Espace abonné 00123456\u00a0: choisissez un nouveau mot de passe", "", "plain", strings.Repeat("plain ", 30), strings.Repeat("é", 200), strings.Repeat("plain ", 20) + "é", "é" + strings.Repeat(" plain", 12),
		strings.Repeat("x", 80) + "é" + strings.Repeat("x", 80),
	} {
		m.Subject = subject
		for _, m.From.Name = range []string{"Espace abonné", "Direction générale des Finances publiques, service des professionnels"} {
			head, _, _ := strings.Cut(string(m.Bytes()), "\r\n\r\n")
			for _, line := range strings.Split(head, "\r\n") {
				if strings.Contains(line, "=?") && len(line) > 76 {
					t.Errorf("%d characters: %s", len(line), line)
				}
				if line == "Subject:" && subject != "" { // some programs show the fold as a space
					t.Errorf("%q begins on the second line", subject)
				}
			}
			parsed, err := devenv.Message{Raw: m.Bytes()}.Parse()
			if err != nil {
				t.Fatal(err)
			}
			if got := parsed.Header.Get("Subject"); got != strings.TrimSpace(subject) {
				t.Errorf("%q reads back as %q", subject, got)
			}
		}
	}
}

// The goldens are read like code: the French, the structure, the bytes on the wire.
func TestGolden(t *testing.T) {
	for name, m := range samples(t) {
		for ext, got := range map[string]string{".txt": m.Text.String(), ".html": m.HTML.String(), ".eml": string(m.Bytes())} {
			path := filepath.Join("testdata", name+ext)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got); run with -update if that is meant:\n%s", path, diff)
			}
		}
	}
}

// A MIME reader finds both parts of any mail, equal to the intended text, in lines that
// any relay accepts. The bytes are the same each time.
func TestParsed(t *testing.T) {
	again := samples(t)
	for name, m := range samples(t) {
		raw := m.Bytes()
		if !bytes.Equal(raw, again[name].Bytes()) {
			t.Errorf("%s: the same message gave other bytes", name)
		}
		fitsSMTP(t, raw)
		parsed, err := devenv.Message{Raw: raw}.Parse()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := strings.ReplaceAll(parsed.Text, "\r\n", "\n"); got != m.Text.String() {
			t.Errorf("%s text: %s", name, cmp.Diff(m.Text.String(), got))
		}
		if got := strings.ReplaceAll(parsed.HTML, "\r\n", "\n"); got != m.HTML.String() {
			t.Errorf("%s html: %s", name, cmp.Diff(m.HTML.String(), got))
		}
		for header, want := range map[string]string{
			"From": "Espace abonné <ne-pas-repondre@espace.example>", "To": m.To.Mailbox(), "Subject": m.Subject,
			"Message-Id": "<" + m.ID + ">", "Date": "Mon, 23 Nov 2026 08:00:29 +0100",
			"Auto-Submitted": "auto-generated", "Content-Language": "fr", "Return-Path": "",
		} {
			if got := parsed.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
}

// fitsSMTP wants lines that any relay takes.
func fitsSMTP(t *testing.T, raw []byte) {
	t.Helper()
	for line := range bytes.Lines(raw) {
		if len(line) > 1000 || !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Errorf("line not fit for SMTP: %q", line)
		}
	}
}

// R23, contract: code, deadline and link stand in both parts; the subject does not tell the code.
func TestActivationSays(t *testing.T) {
	m := samples(t)["activation"]
	link, err := url.Parse("https://espace.example/activation#adresse=jeanne.o%27hara%2Bfisc%40cabinet.example&code=7K3M-Q9XT-2HBD")
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := url.ParseQuery(link.EscapedFragment()); v.Get("adresse") != m.To.String() || v.Get("code") != "7K3M-Q9XT-2HBD" {
		t.Errorf("the fragment reads back as %v", v)
	}
	html := strings.NewReplacer("&amp;", "&", "&#39;", "'").Replace(m.HTML.String())
	for _, want := range []string{
		"7K3M-Q9XT-2HBD", "mercredi 25 novembre 2026 à 8\u00a0h\u00a000", "(heure de Paris)", "jeudi 31 décembre 2026", "0012345678",
		"Jeanne Éxemple & Fils", "irrévocable", "2ème étape", "01 99 00 00 00", link.String(),
	} {
		if !strings.Contains(m.Text.String(), want) {
			t.Errorf("text lacks %q", want)
		}
		if !strings.Contains(html, want) {
			t.Errorf("html lacks %q", want)
		}
	}
	if strings.Contains(m.Subject, "7K3M") {
		t.Errorf("subject tells the code: %s", m.Subject)
	}
}

// The mail of a lone address is short.
func TestActivationIsShort(t *testing.T) {
	const most = 250
	for _, name := range []string{"activation", "activation_past", "activation_unknown", "activation_chosen"} {
		if n := len(strings.Fields(samples(t)[name].Text.String())); n >= most {
			t.Errorf("%s has %d words, want fewer than %d", name, n, most)
		}
	}
}

// The things to do come first, then the text about shared addresses alone.
func TestActivationOrder(t *testing.T) {
	for _, name := range []string{"activation", "activation_shared", "activation_taken"} {
		m := samples(t)[name]
		for _, part := range []string{m.Text.String(), m.HTML.String()} {
			part = part[strings.Index(part, "Bonjour"):]
			at := -1
			for _, next := range []string{"Bonjour Jeanne", "7K3M-Q9XT-2HBD", "/activation#", "Numéro d", "d’un autre espace", "espaces abonnés ont", "irrévocable"} {
				i := strings.Index(part, next)
				if i >= 0 && i < at {
					t.Errorf("%s: %q stands too early", name, next)
				}
				at = max(at, i)
			}
		}
	}
}

// Every mail tells whom it is from, at its head and its foot, greets the holder and
// tells how to check it. Without a name it has no empty line in place of one.
func TestOffice(t *testing.T) {
	for name, m := range samples(t) {
		for kind, part := range map[string]string{"text": m.Text.String(), "html": strings.ReplaceAll(m.HTML.String(), "&amp;", "&")} {
			before, after, _ := strings.Cut(part, "Bonjour Jeanne Éxemple & Fils,")
			if !strings.Contains(before, "Direction départementale des finances publiques de l’Exemple & Fils (DDFiP Exemple)") {
				t.Errorf("%s, %s: the head names nobody", name, kind)
			}
			for _, want := range []string{"DDFiP Exemple", "Notre site a pour adresse", "https://espace.example", "jamais de mot de passe par courriel"} {
				if !strings.Contains(after, want) {
					t.Errorf("%s, %s lacks %q", name, kind, want)
				}
			}
		}
	}
	nobody := office(t)
	nobody.Administration = conversion.Administration{}
	c, err := NewComposer(nobody)
	if err != nil {
		t.Fatal(err)
	}
	text := c.Write(activation(t)).Text.String()
	if !strings.HasPrefix(text, "Bonjour") || !strings.HasSuffix(text, "\n\n--\nCourriel automatique, sans réponse possible.\n") {
		t.Errorf("%s", text)
	}
}

// R21: the mail proposes entry by certificate if the site offers it, to a subscriber
// whose certificate is known and still valid.
func TestExpiredProposes(t *testing.T) {
	const entry = "https://espace.example/certificat"
	without := office(t)
	without.Certificates = false
	nowhere, err := NewComposer(without)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		composer    *Composer
		certificate time.Time
		want        bool
	}{
		{composer(t), certificate, true}, {nowhere, certificate, false},
		{composer(t), sentAt.AddDate(0, 0, -2), false}, {composer(t), time.Time{}, false},
	} {
		l := letter(t, "expired", "jeanne@cabinet.example")
		l.Deadline, l.Certificate = sentAt.Add(-time.Hour), c.certificate
		m := c.composer.Write(l)
		for _, part := range []string{m.Text.String(), m.HTML.String()} {
			if strings.Contains(part, entry) != c.want || !strings.Contains(part, "nouveau code à l’assistance") {
				t.Errorf("certificate until %v, proposed %v:\n%s", c.certificate, c.want, part)
			}
		}
	}
}

// A certificate opens the space on its last day still, and Paris decides when that ends.
func TestLastDay(t *testing.T) {
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{time.Date(2026, 12, 31, 22, 59, 0, 0, time.UTC), "Votre certificat expire le jeudi 31 décembre 2026."},
		{time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), "Votre certificat a expiré le jeudi 31 décembre 2026."},
	} {
		a := activation(t)
		a.Date = c.now
		if got := composer(t).Write(a).Text.String(); !strings.Contains(got, c.want) {
			t.Errorf("at %v lacks %q: %s", c.now, c.want, got)
		}
	}
}

// D2: only a batch's mail speaks of the other spaces. A subscriber who chose the
// address knows them.
func TestSharing(t *testing.T) {
	const told = "espaces abonnés ont cette adresse"
	for _, c := range []struct {
		sharing int
		chosen  bool
		want    bool
	}{{0, false, false}, {1, false, false}, {2, false, true}, {2, true, false}} {
		a := activation(t)
		a.Sharing, a.Chosen = c.sharing, c.chosen
		m := composer(t).Write(a)
		if got := strings.Contains(m.Text.String(), told); got != c.want || got != strings.Contains(m.HTML.String(), told) {
			t.Errorf("%+v: told %v", c, got)
		}
	}
}

// D2: the mail says how many spaces share its address: the number, as far as they
// are counted.
func TestSharingIsTold(t *testing.T) {
	for n, want := range map[int]string{
		2: "2", 99: "99", 100: "100", 250: "250", 999: "999", 1000: "1\u00a0000", 1001: "Plus de 1\u00a0000", 100_000: "Plus de 1\u00a0000",
	} {
		a := activation(t)
		a.Sharing = n
		m := composer(t).Write(a)
		if !strings.Contains(m.Text.String(), "\n"+want+" espaces abonnés ont cette adresse") ||
			!strings.Contains(m.HTML.String(), "<p>"+want+" espaces abonnés ont cette adresse") {
			t.Errorf("%d: %s", n, m.Text.String())
		}
	}
}

// D1, I6: the notice to the contact tells neither a code nor the other address.
func TestNoticeTellsNothing(t *testing.T) {
	for _, name := range []string{"other_address", "other_address_opted", "switched"} {
		raw := samples(t)[name]
		for _, content := range []string{raw.Text.String(), raw.HTML.String(), raw.Subject} {
			if strings.Contains(content, "direction@") || strings.Contains(content, "fils.example") || strings.Contains(content, "7K3M") {
				t.Errorf("%s tells too much: %s", name, content)
			}
		}
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"jeanne@client.example": "j…@c….example",
		"j@client.example":      "…@c….example",
		"jeanne@c.example":      "j…@….example",
		"jeanne@été.example":    "j…@x….example",
		"jeanne@a.b.example":    "j…@a….example",
	} {
		if got := Mask(devtest.Email(t, in)); got != want {
			t.Errorf("Mask(%s) = %s, want %s", in, got, want)
		}
	}
}

func BenchmarkActivation(b *testing.B) {
	c, a := composer(b), activation(b)
	for b.Loop() {
		if len(c.Write(a).Bytes()) == 0 {
			b.Fatal("empty")
		}
	}
}

// The digest of the texts is the same in each process. It changes with the texts: a
// person who looked at the mails looked at others then.
func TestDigest(t *testing.T) {
	digest := func(change func(*Office)) string {
		o := office(t)
		change(&o)
		c, err := NewComposer(o)
		if err != nil {
			t.Fatal(err)
		}
		return c.Digest("")
	}
	same := digest(func(*Office) {})
	if same != composer(t).Digest("") {
		t.Error("two processes of the same texts have two digests")
	}
	if composer(t).Digest("Bonjour") == same {
		t.Error("a message changes nothing")
	}
	for name, change := range map[string]func(*Office){
		"help":           func(o *Office) { o.Help += "." },
		"administration": func(o *Office) { o.Administration.Short = "DDFiP" },
		"address":        func(o *Office) { o.PublicURL = "https://espace2.example" },
		"sender":         func(o *Office) { o.From.Name = "Espace" },
		"sender address": func(o *Office) { o.From.Address = devtest.Email(t, "autre@espace.example") },
	} {
		if digest(change) == same {
			t.Errorf("another %s has the same digest", name)
		}
	}
}
