package devenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func startInbox(t *testing.T) *Inbox {
	t.Helper()
	in, err := StartInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	return in
}

func dial(t *testing.T, in *Inbox) *smtp.Client {
	t.Helper()
	u, err := url.Parse(in.URL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.Dial(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const sampleMail = "From: Assistance <aide@impots.example>\r\n" +
	"To: durand@cabinet.example\r\n" +
	"Subject: =?utf-8?q?Votre_code_d=E2=80=99activation?=\r\n" +
	"Message-ID: <1.1@impots.example>\r\n" +
	"Date: Wed, 25 Nov 2026 08:00:00 +0100\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=m\r\n\r\n" +
	"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n" +
	"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
	"Ouvrez https://impots.example/activation#c=ABCD-1234-WXYZ\u00a0; merci.\r\n.une ligne qui commence par un point\r\n" +
	"--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
	"<html><head><title>x</title></head><body><p>Le code&nbsp;: <b>ABCD-1234-WXYZ</b></p></body></html>\r\n" +
	"--a--\r\n" +
	"--m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"r\xc3\xa9cap.pdf\"\r\n\r\n%PDF-1.4\r\n" +
	"--m--\r\n"

// I5: the inbox holds an accepted mail byte for byte, with its envelope, and can show
// it decoded.
func TestInboxKeepsMessages(t *testing.T) {
	in := startInbox(t)
	c := dial(t, in)
	if ok, _ := c.Extension("PIPELINING"); !ok {
		t.Error("PIPELINING is not offered")
	}
	if err := c.SendMail("retour@impots.example", []string{"durand@cabinet.example"}, strings.NewReader(sampleMail)); err != nil {
		t.Fatal(err)
	}
	messages := in.Messages()
	if len(messages) != 1 {
		t.Fatalf("%d messages, want 1", len(messages))
	}
	m := messages[0]
	if string(m.Raw) != sampleMail {
		t.Errorf("raw message differs:\n%q\nwant\n%q", m.Raw, sampleMail)
	}
	if m.ID != 1 || m.From != "retour@impots.example" || fmt.Sprint(m.Recipients) != "[durand@cabinet.example]" {
		t.Errorf("envelope %d %s %v", m.ID, m.From, m.Recipients)
	}
	mail, err := m.Parse()
	if err != nil {
		t.Fatal(err)
	}
	date, err := mail.Header.Date()
	if mail.Header.Get("Subject") != "Votre code d’activation" || mail.Header.Get("Message-ID") != "<1.1@impots.example>" ||
		mail.Header.Get("To") != "durand@cabinet.example" || err != nil || !date.Equal(time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)) {
		t.Errorf("header %+v", mail.Header)
	}
	if !strings.Contains(mail.Text, "ABCD-1234-WXYZ") || !strings.Contains(mail.HTML, "<b>ABCD-1234-WXYZ</b>") {
		t.Errorf("text %q, HTML %q", mail.Text, mail.HTML)
	}
	if len(mail.Attachments) != 1 || mail.Attachments[0].Type != "application/pdf" || !strings.HasPrefix(string(mail.Attachments[0].Content), "%PDF") {
		t.Errorf("attachments %+v", mail.Attachments)
	}
}

// I5: a mail cut before its final dot was not accepted and is not there.
func TestInboxForgetsUnfinished(t *testing.T) {
	in := startInbox(t)
	cut := dial(t, in)
	if err := errors.Join(cut.Mail("a@impots.example", nil), cut.Rcpt("b@cabinet.example", nil)); err != nil {
		t.Fatal(err)
	}
	w, err := cut.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "Subject: cut\r\n\r\nhalf a"); err != nil {
		t.Fatal(err)
	}
	cut.Close() // the connection, never w
	if err := dial(t, in).SendMail("a@impots.example", []string{"b@cabinet.example"}, strings.NewReader("Subject: whole\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	in.Stop()
	if n := in.Count(); n != 1 {
		t.Errorf("%d mails, want the whole one alone", n)
	}
}

// D11: tests can have any answer to RCPT, and a refused recipient gets nothing.
func TestInboxRejects(t *testing.T) {
	in := startInbox(t)
	in.SetReject(func(recipient string) error {
		switch {
		case strings.HasPrefix(recipient, "full@"):
			return fmt.Errorf("wrapped: %w", Refusal(452, [3]int{4, 2, 2}, "mailbox full"))
		case strings.HasPrefix(recipient, "gone@"):
			return errors.New("no such user")
		}
		return nil
	})
	c := dial(t, in)
	for to, want := range map[string]int{"full@cabinet.example": 452, "gone@cabinet.example": 550, "here@cabinet.example": 0} {
		err := c.SendMail("a@impots.example", []string{to}, strings.NewReader("Subject: x\r\n\r\nx\r\n"))
		answer := (*smtp.SMTPError)(nil)
		if errors.As(err, &answer) != (want != 0) || answer != nil && answer.Code != want {
			t.Errorf("%s: %v, want code %d", to, err, want)
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	if n := in.Count(); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// I8: the inbox forgets the oldest mails rather than grow, and numbers stay.
func TestInboxIsBounded(t *testing.T) {
	in := startInbox(t)
	in.SetLimit(100)
	for range 5 {
		in.add(Message{Raw: make([]byte, 40)})
	}
	if n, last := len(in.Messages()), in.Count(); n != 2 || last != 5 {
		t.Errorf("%d held of %d, want 2 of 5", n, last)
	}
	for id, want := range map[int]bool{0: false, 3: false, 4: true, 5: true, 6: false} {
		if m, ok := in.Message(id); ok != want || ok && m.ID != id {
			t.Errorf("message %d: %v %v, want %v", id, m.ID, ok, want)
		}
	}
	in.add(Message{Raw: make([]byte, 400)})
	if n := len(in.Messages()); n != 1 {
		t.Errorf("%d held, want the newest alone", n)
	}
}

// Wait finds mails held and mails to come, and shows each once.
func TestInboxWait(t *testing.T) {
	in := startInbox(t)
	in.add(Message{From: "held"})
	shown := 0
	from := func(want string) func(Message) bool {
		return func(m Message) bool { shown++; return m.From == want }
	}
	if m, err := in.Wait(t.Context(), from("held")); err != nil || m.ID != 1 {
		t.Fatalf("held: %v %v", m.ID, err)
	}
	shown = 0
	go func() {
		for range 100 {
			in.add(Message{From: "other"})
		}
		in.add(Message{From: "coming"})
	}()
	m, err := in.Wait(t.Context(), from("coming"))
	if err != nil || m.ID != 102 || shown != 102 {
		t.Fatalf("coming: number %d, %d shown, %v; want 102, 102", m.ID, shown, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Wait(ended, from("nobody")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// I7: each mail is a file before it is answered for, and the next inbox takes them
// up, with the recipients that they name.
func TestKeepIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mails")
	in := startInbox(t)
	if err := in.KeepIn(dir); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"To: a@cabinet.example\r\n\r\nun\r\n", "Subject: b\r\n\r\ndeux\r\n"} {
		if err := in.add(Message{Raw: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%06d.eml", in.Count())))
		if err != nil || string(got) != raw {
			t.Errorf("mail %d: %q, %v", in.Count(), got, err)
		}
	}
	next := startInbox(t)
	if err := next.KeepIn(dir); err != nil {
		t.Fatal(err)
	}
	if m := next.Messages(); len(m) != 2 || fmt.Sprint(m[0].Recipients) != "[a@cabinet.example]" || string(m[1].Raw) != string(in.Messages()[1].Raw) {
		t.Errorf("taken up: %+v", m)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := in.add(Message{}); err == nil || in.Count() != 2 {
		t.Errorf("a mail was taken that cannot be kept: %v", err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := next.KeepIn(dir); err == nil {
		t.Error("mails are kept in a file")
	}
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	return w
}

func TestInboxPages(t *testing.T) {
	in := startInbox(t)
	h := in.Handler(nil)
	if body := get(t, h, "/inbox").Body.String(); !strings.Contains(body, "Aucun courriel") {
		t.Errorf("empty inbox: %s", body)
	}
	in.add(Message{From: "retour@impots.example", Recipients: []string{"durand@cabinet.example"}, Raw: []byte(sampleMail)})
	in.add(Message{Recipients: []string{"<script>@cabinet.example"}, Raw: []byte("no header at all")})
	in.add(Message{Raw: []byte("To: durand@cabinet.example\r\n\r\nsans objet\r\n")})
	for _, c := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/inbox", 200, []string{`<a href="/inbox/1">Votre code d’activation</a>`, "durand@cabinet.example", "3 courriels", "&lt;script&gt;@", `<a href="/inbox/3">(sans objet)</a>`}},
		{"/inbox?before=2", 200, []string{`href="/inbox/1"`}},
		{"/inbox/1", 200, []string{`<a href="https://impots.example/activation#c=ABCD-1234-WXYZ">`, "mercredi 25 novembre 2026 à 8\u00a0h\u00a000",
			"récap.pdf", `src="/inbox/1/html"`, "/inbox/1/eml"}},
		{"/inbox/1/html", 200, []string{`<head><base target="_top">`, "<b>ABCD-1234-WXYZ</b>"}},
		{"/inbox/1/eml", 200, []string{sampleMail}},
		{"/inbox/1/attachment/1", 200, []string{"%PDF-1.4"}},
		{"/inbox/2", 200, []string{"(message illisible)", "no header at all"}},
		{"/inbox/3", 200, []string{"<h1>(sans objet)</h1>"}},
		{"/inbox/style.css", 200, []string{"font:"}},
		{"/inbox/1/attachment/0", 404, nil},
		{"/inbox/1/attachment/2", 404, nil},
		{"/inbox/0", 404, nil},
		{"/inbox/4/html", 404, nil},
		{"/inbox/x", 404, nil},
	} {
		w := get(t, h, c.path)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d", c.path, w.Code, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: lacks %q in\n%s", c.path, want, w.Body)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script") {
			t.Errorf("%s: policy %q", c.path, csp)
		}
	}
	if got := get(t, h, "/inbox/1/attachment/1").Header().Get("Content-Disposition"); !strings.HasPrefix(got, "attachment;") {
		t.Errorf("attachment is shown in place: %q", got)
	}
	if got := get(t, h, "/inbox/1/html").Header().Get("Content-Security-Policy"); !strings.Contains(got, "sandbox") || strings.Contains(got, "allow-same-origin") {
		t.Errorf("the mail's own page has policy %q", got)
	}
}

// The list shows the newest mails and leads to the older ones, each exactly once.
func TestInboxListIsPaged(t *testing.T) {
	in := startInbox(t)
	for range listLength + 1 {
		in.add(Message{Raw: []byte("Subject: s\r\n\r\n")})
	}
	first := get(t, in.Handler(nil), "/inbox").Body.String()
	second := get(t, in.Handler(nil), "/inbox?before=2").Body.String()
	if n := strings.Count(first, "<tr><td>"); n != listLength || !strings.Contains(first, `/inbox?before=2"`) {
		t.Errorf("first page has %d rows, want %d and a link on", n, listLength)
	}
	if n := strings.Count(second, "<tr><td>"); n != 1 || !strings.Contains(second, `/inbox/1"`) || strings.Contains(second, "http-equiv") {
		t.Errorf("second page has %d rows, want mail 1 alone and no refresh:\n%s", n, second)
	}
}

// The panel stands above the list; its buttons are pressed by the page itself alone.
func TestInboxPanel(t *testing.T) {
	var pressed []string
	h := startInbox(t).Handler(&Panel{
		Show: func(context.Context) (string, []Button, error) {
			return "La <campagne>", []Button{{"start", "Lancer"}, {"drop", "Annuler"}}, nil
		},
		Do: func(_ context.Context, button string) error {
			if button == "drop" {
				return errors.New("no")
			}
			pressed = append(pressed, button)
			return nil
		},
	})
	body := get(t, h, "/inbox").Body.String()
	for _, want := range []string{"La &lt;campagne&gt;", `<form method="post" action="/inbox">`, `<button name="button" value="start">Lancer</button>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q: %s", want, body)
		}
	}
	for _, c := range []struct {
		host, button, name, value string
		status                    int
	}{
		{"localhost", "start", "Origin", "http://localhost", http.StatusSeeOther},
		{"localhost", "start", "Sec-Fetch-Site", "same-origin", http.StatusSeeOther},
		{"localhost", "start", "Origin", "https://other.example", http.StatusForbidden},
		{"localhost", "start", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"other.example", "start", "Origin", "http://other.example", http.StatusMisdirectedRequest},
		{"localhost", "drop", "Origin", "http://localhost", http.StatusInternalServerError},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://"+c.host+"/inbox", strings.NewReader("button="+c.button))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(c.name, c.value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%+v: status %d", c, w.Code)
		}
	}
	if fmt.Sprint(pressed) != "[start start]" {
		t.Errorf("pressed: %q", pressed)
	}
	w := httptest.NewRecorder()
	startInbox(t).Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/inbox", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("without a panel a button answers %d", w.Code)
	}
}

func TestLinkify(t *testing.T) {
	for text, want := range map[string]string{
		"rien":                              "rien",
		"https://a.example/x":               "[https://a.example/x]",
		"voir https://a.example/x#e=b%40c.": "voir [https://a.example/x#e=b%40c].",
		"(http://a.example), puis http://b.example/?q=1 !": "([http://a.example]), puis [http://b.example/?q=1] !",
		"javascript:alert(1)":                              "javascript:alert(1)",
		"https://":                                         "https://",
	} {
		var b strings.Builder
		for _, r := range linkify(text) {
			if r.Link != "" {
				fmt.Fprintf(&b, "[%s]", r.Link)
			} else {
				b.WriteString(r.Words)
			}
		}
		if b.String() != want {
			t.Errorf("%q: %q, want %q", text, b.String(), want)
		}
	}
}
