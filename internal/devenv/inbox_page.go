package devenv

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bascule/internal/conversion"
)

//go:embed page
var pageFiles embed.FS

// inboxPages shows an inbox in the browser.
type inboxPages struct {
	inbox *Inbox
	panel *Panel
	pages *template.Template
	style []byte
}

// A Panel is above the list of mails: it shows a text and buttons.
type Panel struct {
	Show func(context.Context) (text string, buttons []Button, err error)
	Do   func(ctx context.Context, button string) error // the name of one
}

// A Button is one action of a panel.
type Button struct{ Name, Label string }

// Handler shows the mails at /inbox, in French and without script, below the panel if
// there is one. It belongs behind a loopback address, and answers loopback names alone,
// as every visitor reads every mail. A page of another site presses no button.
func (in *Inbox) Handler(panel *Panel) http.Handler {
	p := &inboxPages{inbox: in, panel: panel, pages: template.Must(template.ParseFS(pageFiles, "page/*.html"))}
	p.style, _ = pageFiles.ReadFile("page/style.css") // embedded
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inbox", p.list)
	mux.Handle("GET /inbox/{$}", http.RedirectHandler("/inbox", http.StatusMovedPermanently))
	mux.HandleFunc("GET /inbox/style.css", p.styleSheet)
	mux.HandleFunc("GET /inbox/{id}", p.withMessage(p.mail))
	mux.HandleFunc("GET /inbox/{id}/html", p.withMessage(p.html))
	mux.HandleFunc("GET /inbox/{id}/eml", p.withMessage(p.eml))
	mux.HandleFunc("GET /inbox/{id}/attachment/{number}", p.withMessage(p.attachment))
	if panel != nil {
		mux.HandleFunc("POST /inbox", p.press)
	}
	return OnLoopback(guarded(http.NewCrossOriginProtection().Handler(mux)))
}

// pagePolicy lets a page load its style sheet, frame a mail and press a button of its
// own, and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// mailPolicy lets the HTML of a mail show its own styles and pictures, without
// script, network or origin; its links may leave, because a mail's links must.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; " +
	"sandbox allow-top-navigation-by-user-activation allow-popups allow-popups-to-escape-sandbox"

func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// listLength is how many mails a page of the list shows.
const listLength = 100

type listPage struct {
	Title, Caption string
	Panel          string
	Buttons        []Button
	Rows           []listRow
	Older          int // the list continues before this number; 0: it ends
}

type listRow struct {
	ID                           int
	Stamp, Received, To, Subject string
}

// list shows the newest mails first. A page of it never changes under the reader.
func (p *inboxPages) list(w http.ResponseWriter, r *http.Request) {
	messages := p.inbox.Messages()
	page := listPage{Title: "Courriels reçus", Caption: counted(p.inbox.Count())}
	if before, err := strconv.Atoi(r.FormValue("before")); err == nil {
		for len(messages) > 0 && messages[len(messages)-1].ID >= before {
			messages = messages[:len(messages)-1]
		}
	}
	if older := len(messages) - listLength; older > 0 {
		messages = messages[older:]
		page.Older = messages[0].ID
	}
	for _, m := range slices.Backward(messages) {
		page.Rows = append(page.Rows, rowOf(m))
	}
	if p.panel != nil {
		var err error
		if page.Panel, page.Buttons, err = p.panel.Show(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	p.render(w, "list", page)
}

// maxPress is more than the name of a button.
const maxPress = 1 << 10

// press does what a button says, and shows the list as it is then.
func (p *inboxPages) press(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPress)
	if err := p.panel.Do(r.Context(), r.PostFormValue("button")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
}

func counted(n int) string {
	if n == 1 {
		return "1 courriel reçu"
	}
	return fmt.Sprintf("%d courriels reçus, le plus récent d’abord", n)
}

// rowOf reads a mail's header and nothing more.
func rowOf(m Message) listRow {
	row := listRow{ID: m.ID, Stamp: m.Received.Format(time.RFC3339), To: strings.Join(m.Recipients, ", "),
		Received: m.Received.In(conversion.Paris).Format("02/01/2006 15:04:05")}
	if read, err := m.read(); err == nil {
		row.Subject = read.Header.Get("Subject")
	}
	row.Subject = cmp.Or(row.Subject, untitled)
	return row
}

// untitled takes the place of a missing subject.
const untitled = "(sans objet)"

type mailPage struct {
	Title, From, To, Date, Envelope, MessageID string
	ID                                         int
	HTML                                       bool
	Text                                       []textRun
	Attachments                                []attachmentLink
}

type attachmentLink struct{ Link, Name, Size string }

func (p *inboxPages) mail(w http.ResponseWriter, _ *http.Request, m Message, decoded Mail) {
	header := decoded.Header
	page := mailPage{
		ID: m.ID, Title: cmp.Or(header.Get("Subject"), untitled), From: header.Get("From"), To: header.Get("To"), MessageID: header.Get("Message-ID"),
		Envelope: "de <" + m.From + "> à <" + strings.Join(m.Recipients, ">, <") + ">",
		HTML:     decoded.HTML != "", Text: linkify(decoded.Text),
	}
	if date, err := header.Date(); err == nil {
		page.Date = conversion.FrenchTime(date)
	}
	for i, a := range decoded.Attachments {
		page.Attachments = append(page.Attachments, attachmentLink{
			Link: fmt.Sprintf("/inbox/%d/attachment/%d", m.ID, i+1), Name: a.label(i + 1), Size: kilobytes(len(a.Content)),
		})
	}
	p.render(w, "mail", page)
}

func (a Attachment) label(number int) string {
	if a.Name != "" {
		return a.Name
	}
	return fmt.Sprintf("piece-%d", number)
}

func kilobytes(n int) string { return fmt.Sprintf("%d\u00a0ko", (n+1023)/1024) }

// A textRun is a piece of a mail's text; with a link if it is an address of the web.
type textRun struct{ Words, Link string }

// webAddress ends before the punctuation that follows an address in a sentence.
var webAddress = regexp.MustCompile(`https?://[^\s\pZ<>"«»]*[^\s\pZ<>"«».,;:!?)\]]`)

// linkify cuts a text into its links and the texts between them.
func linkify(text string) []textRun {
	var runs []textRun
	at := 0
	for _, span := range webAddress.FindAllStringIndex(text, -1) {
		link := text[span[0]:span[1]]
		runs = append(runs, textRun{Words: text[at:span[0]]}, textRun{Words: link, Link: link})
		at = span[1]
	}
	return append(runs, textRun{Words: text[at:]})
}

// html is the mail's own page, in a frame that can do nothing but follow links, in the
// whole window (R26: no other window opens).
func (p *inboxPages) html(w http.ResponseWriter, _ *http.Request, _ Message, decoded Mail) {
	h := w.Header()
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, withBase(decoded.HTML))
}

var headTag = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)

// withBase makes links open in the whole window unless they say otherwise.
func withBase(html string) string {
	const base = `<base target="_top">`
	if span := headTag.FindStringIndex(html); span != nil {
		return html[:span[1]] + base + html[span[1]:]
	}
	return base + html
}

func (p *inboxPages) eml(w http.ResponseWriter, _ *http.Request, m Message, _ Mail) {
	download(w, "message/rfc822", m.fileName(), m.Raw)
}

func (p *inboxPages) attachment(w http.ResponseWriter, r *http.Request, _ Message, decoded Mail) {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || n < 1 || n > len(decoded.Attachments) {
		http.NotFound(w, r)
		return
	}
	a := decoded.Attachments[n-1]
	download(w, a.Type, a.label(n), a.Content)
}

func download(w http.ResponseWriter, contentType, name string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content)
}

func (p *inboxPages) styleSheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Write(p.style)
}

// withMessage finds and decodes the message that the path names.
func (p *inboxPages) withMessage(show func(http.ResponseWriter, *http.Request, Message, Mail)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		m, ok := p.inbox.Message(id)
		if !ok {
			http.NotFound(w, r)
			return
		}
		decoded, err := m.Parse()
		if err != nil {
			decoded = Mail{Header: mail.Header{"Subject": {"(message illisible)"}}, Text: string(m.Raw)}
		}
		show(w, r, m, decoded)
	}
}

// render writes a page whole, or an error.
func (p *inboxPages) render(w http.ResponseWriter, name string, page any) {
	var b bytes.Buffer
	if err := p.pages.ExecuteTemplate(&b, name, page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}
