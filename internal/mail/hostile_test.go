package mail

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
)

// document is an HTML document as a browser understands it.
func document(t *testing.T, s string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := html.Render(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// oracle executes a template with the values themselves, escaped by html/template.
func oracle(t *testing.T, v variant, o Office, vals values) string {
	t.Helper()
	_, templates, err := parseTemplates()
	if err != nil {
		t.Fatal(err)
	}
	data := o.data(v)
	for name, s := range slotNames {
		data[name] = vals[s]
	}
	data["Fragment"] = string(vals[slotAddress]) // html/template escapes it itself
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, string(v.kind)+".html", data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every wording of every mail, with values that try to get out of their place,
// is the document that html/template makes of the same template.
func TestEscapedLikeHTMLTemplate(t *testing.T) {
	const evil = `"><script>alert('1')</script><a b='&amp;&#39;` + "`" + `{{.}}<!--`
	c := composer(t)
	for v := range c.wordings {
		var vals values
		for s := range slotCount {
			vals[s] = strconv.Itoa(int(s)) + evil
		}
		vals[slotCode] = "7K3M-Q9XT-2HBD"
		vals[slotAddress] = "o'hara+a&b=c%d@x.example"
		vals[slotFragment] = "o%27hara%2ba%26b%3dc%25d%40x.example"
		got := document(t, Part{c.wordings[v].html, &vals, htmlEscape}.String())
		want := document(t, strings.TrimSpace(oracle(t, v, office(t), vals))+"\n")
		if got != want {
			t.Errorf("%+v:\n got %s\nwant %s", v, got, want)
		}
	}
}

// A mail has the headers we gave it and no others, two parts, and the same elements,
// whatever the sheet says. The value is read back as it is.
func FuzzHolder(f *testing.F) {
	for _, s := range []string{"Jeanne", "a\r\nBcc: x@y.example\r\n\r\nhello", "<b>&amp;", `"'`, "\x00", "é\xff", "--=_3615987ef6f514fec7b70efc2f3ce8ac--", strings.Repeat("é", 400), ".", "zqslot4qz"} {
		f.Add(s)
	}
	plain := samples(f)["activation"]
	c := composer(f)
	f.Fuzz(func(t *testing.T, holder string) {
		a := activation(t)
		a.Holder = holder
		a.Number = conversion.SubscriberNumber(holder) // also in the subject
		m := c.Write(a)
		raw := m.Bytes()
		headers, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		wantHeaders, _, _ := bytes.Cut(plain.Bytes(), []byte("\r\n\r\n"))
		if got, want := fieldNames(headers), fieldNames(wantHeaders); got != want {
			t.Fatalf("headers %s, want %s", got, want)
		}
		fitsSMTP(t, raw)
		parsed, err := devenv.Message{Raw: raw}.Parse()
		if err != nil {
			t.Fatal(err)
		}
		if len(parsed.Attachments) > 0 {
			t.Fatal("more parts than two")
		}
		if want, got := elements(t, plain.HTML.String()), elements(t, m.HTML.String()); got != want {
			t.Fatalf("elements %s, want %s", got, want)
		}
		if clean := strings.ToValidUTF8(holder, ""); clean == holder && !strings.ContainsAny(holder, "\r\n\x00") && !strings.Contains(parsed.Text, "Titulaire\u00a0: "+holder) {
			t.Fatalf("%q is not in %s", holder, parsed.Text)
		}
	})
}

func fieldNames(header []byte) string {
	var names []string
	for line := range strings.Lines(string(header)) {
		if line[0] != ' ' {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// elements lists the elements of a document in order, with their attributes' names.
func elements(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for z.Next() != html.ErrorToken {
		tok := z.Token()
		if tok.Type == html.TextToken {
			continue
		}
		b.WriteString(tok.Type.String() + tok.Data)
		for _, a := range tok.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Headers hold one line each, whatever the caller puts into them.
func TestHeadersHoldOneLine(t *testing.T) {
	m := samples(t)["confirmation"]
	const evil = "x\r\nBcc: victim@x.example\r\n\r\n<html>"
	m.From.Name, m.Subject, m.ID, m.Attachment.Name = evil, evil, evil+">", evil+"\".pdf"
	raw := m.Bytes()
	parsed, err := devenv.Message{Raw: raw}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Header
	if strings.ContainsAny(header.Get("Subject")+header.Get("From")+parsed.Attachments[0].Name, "\r\n") {
		t.Errorf("a header reads back as several lines: %q", header.Get("Subject"))
	}
	if header.Get("Bcc") != "" || len(parsed.Attachments) != 1 || bytes.Contains(raw, []byte("\r\nBcc")) {
		t.Errorf("a header was injected: %s", raw)
	}
}

// A setting that would make every mail wrong stops the start.
func TestNewComposerRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Office){
		"no sender":         func(o *Office) { o.From = Sender{} },
		"no help":           func(o *Office) { o.Help = " \n" },
		"no UTF-8":          func(o *Office) { o.Help = "a\xff" },
		"a slot":            func(o *Office) { o.Help = "zqslot1qz" },
		"a slot in a title": func(o *Office) { o.Administration.Name = "zqslot1qz" },
	} {
		o := office(t)
		spoil(&o)
		if _, err := NewComposer(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestParseSender(t *testing.T) {
	for in, want := range map[string]string{
		"us@espace.example":                    "|us@espace.example",
		"Espace abonné <us@espace.example>":    "Espace abonné|us@espace.example",
		`"Espace, abonné" <us@espace.example>`: "Espace, abonné|us@espace.example",
	} {
		if got, err := ParseSender(in); err != nil || got.Name+"|"+got.Address.String() != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "us", "a@b.example, c@d.example", "us@localhost"} {
		if got, err := ParseSender(in); err == nil {
			t.Errorf("%s: accepted as %+v", in, got)
		}
	}
}

// The Message-ID of one mail is the same for every copy, and differs for every other mail.
func TestMessageID(t *testing.T) {
	seen := make(map[string]bool)
	for _, id := range []string{
		MessageID("activation", 1, 1, 0, "x.example"), MessageID("activation", 1, 1, 1, "x.example"), MessageID("activation", 1, 11, 0, "x.example"),
		MessageID("activation", 11, 1, 0, "x.example"), MessageID("expired", 1, 1, 0, "x.example"), MessageID("activation", 1, 1, 0, "y.example"),
	} {
		if seen[id] || strings.Count(id, "@") != 1 {
			t.Errorf("%s", id)
		}
		seen[id] = true
	}
}

// D12: a trial is the mail itself, with « ESSAI » in its subject and at its beginning.
// Nobody can take its code for one.
func TestTrial(t *testing.T) {
	c := composer(t)
	a := activation(t)
	real := c.Write(a)
	a.Trial = true
	m := c.Write(a)
	if m.Subject != "«\u00a0ESSAI\u00a0» "+real.Subject || !strings.HasPrefix(m.Text.String(), "« ESSAI » ") || !strings.Contains(m.HTML.String(), "<strong>«&nbsp;ESSAI&nbsp;» ") {
		t.Errorf("the trial is %q: %s", m.Subject, m.Text)
	}
	_, text, _ := strings.Cut(m.Text.String(), "\n\n")
	if want := strings.ReplaceAll(real.Text.String(), a.Code.String(), trialCode); text != want {
		t.Errorf("the trial says %s, want %s", text, want)
	}
	if _, err := conversion.ParseCode(trialCode); err == nil {
		t.Error("the code of a trial may be one")
	}
}
