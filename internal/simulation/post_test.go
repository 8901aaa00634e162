package simulation

import (
	"bytes"
	"crypto/sha256"
	"io"
	"mime/quotedprintable"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bascule/internal/conversion"
)

// A letter is a code that somebody has.
type letter struct {
	request    int64
	generation int
	to, path   string
	code       string
	began      time.Time // when its mail was handed over first: the 48 hours count from then
	chosen     bool      // it activates at once (D1, D8)
	dead       string    // why it opens nothing any more
	typed      time.Time
	reminded   bool
}

func (l *letter) ends() time.Time { return l.began.Add(lifetime) }

// good tells whether the code must work.
func (l *letter) good(now time.Time) bool { return l.dead == "" && now.Before(l.ends()) }

// copies are the copies of one mail.
type copies struct {
	n   int
	sum [32]byte
}

var (
	messageID = regexp.MustCompile(`(?i)\nMessage-ID: <([a-z-]+)\.[0-9a-f]{8}\.(\d+)\.(\d+)\.(\d+)@`)
	pathOf    = regexp.MustCompile(`\+(\d+)\.(\d+)\.`)
	codeIn    = regexp.MustCompile(`\n([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\r?\n`)
	numberIn  = regexp.MustCompile(`SIM\d{7}`)
)

const (
	isChosen = "Vous avez choisi cette adresse comme identifiant"
	textSize = 6 << 10 // the text part comes first
)

// A parcel is a mail that the relay kept.
type parcel struct {
	offer
	id                  string
	kind                string
	request             int64
	generation, another int
	text                string
	first               bool // copy of its Message-ID
}

// receive hands out the mails that the relay was offered.
func (s *simulation) receive() {
	for _, o := range s.relay.taken() {
		if o.answer != "" {
			s.refused(o)
			continue
		}
		p, ok := s.open(o)
		if !ok {
			s.t.Errorf("a mail that nobody knows: %.400s", o.raw)
			return
		}
		b := s.byNumber[numberIn.FindString(p.text)]
		if b == nil {
			s.t.Errorf("a mail to nobody: %.400s", p.text)
			return
		}
		b.tell(s.now, "gets %s %d.%d at %s", p.kind, p.request, p.generation, o.to)
		s.deliver(b, p)
	}
}

func (s *simulation) open(o offer) (p parcel, ok bool) {
	p.offer = o
	raw := o.raw[:min(len(o.raw), textSize)]
	id := messageID.FindSubmatch(raw)
	if id == nil {
		return p, false
	}
	p.id, p.kind = string(id[0]), string(id[1])
	p.request, _ = strconv.ParseInt(string(id[2]), 10, 64)
	p.generation, _ = strconv.Atoi(string(id[3]))
	p.another, _ = strconv.Atoi(string(id[4]))
	text, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw))) // it may end anywhere
	p.text = string(text)
	sum := sha256.Sum256(o.raw)
	c := s.copies[p.id]
	p.first = c.n == 0
	if !p.first && c.sum != sum {
		s.t.Errorf("two copies of %s differ (I5)", p.id)
	}
	s.copies[p.id] = copies{c.n + 1, sum}
	return p, true
}

// refused notes the refusals of the relay at RCPT.
func (s *simulation) refused(o offer) {
	b := s.boxes[o.to]
	if b.kind == boxFull && b.fullUntil.IsZero() {
		b.fullUntil = s.now.Add(45 * time.Hour)
	}
	s.did("the relay says " + o.answer)
	m := pathOf.FindStringSubmatch(o.from)
	if m == nil {
		return
	}
	key := m[1] + "." + m[2]
	if o.answer[0] == '4' {
		if !s.deferred[key] {
			s.deferred[key] = true
			s.forecast.waiting++
		}
		return
	}
	owner := s.byNumber[s.db.Text(s.t, `SELECT number FROM space s JOIN request r ON r.space_id = s.id WHERE r.id = $1`, m[1])]
	owner.tell(s.now, "%s: the relay says %s", o.to, o.answer)
	s.leaves(owner, key)
}

// leaves counts an invitation that left, or ended as its address is refused.
func (s *simulation) leaves(b *subscriber, key string) {
	c := s.campaigns[b.campaign]
	waited := s.deferred[key]
	delete(s.deferred, key)
	if s.counted[key] {
		return
	}
	if l := c.last; !waited && (l == nil || b.priority > l.priority || b.priority == l.priority && b.expires.After(l.expires)) {
		c.last = b
	}
	s.counted[key] = true
	b.invited++
	c.left = append(c.left, s.now)
	c.perDate[dateOf(s.now)]++
	if n := c.perDate[dateOf(s.now)]; c.PerDay > 0 && n > max(c.PerDay, c.perDayBefore) {
		s.fail(b, "invitation %d of the day, of %d at the most (D13)", n, c.PerDay)
	}
}

func (s *simulation) deliver(b *subscriber, p parcel) {
	s.did("mail: " + p.kind)
	s.checkAddress(b, p)
	if !p.first {
		s.did("mail: a copy after doubt")
	}
	switch p.kind {
	case "code":
		s.deliverCode(b, p)
	case "reminder":
		if p.first {
			s.deliverReminder(b, p)
		}
	case "expired":
		if b.alone || !b.done.IsZero() {
			s.fail(b, "is told of an expiry, though left alone or switched")
		}
	case "confirmation":
		if b.done.IsZero() || p.to != b.enters {
			s.fail(b, "gets a confirmation at %s; enters with %q", p.to, b.enters)
		}
		b.confirmed++
	}
}

// mostMails is how many mails of campaigns an address gets on a day (D16).
const mostMails = 5

// checkAddress counts the mails of campaigns to one address and day.
func (s *simulation) checkAddress(b *subscriber, p parcel) {
	invites := p.kind == "code" && p.another == 0 && !strings.Contains(p.text, isChosen)
	if !p.first || !invites && p.kind != "reminder" && p.kind != "expired" {
		return
	}
	key := p.to + dateOf(s.now).Format(time.DateOnly)
	s.perAddress[key]++
	switch n := s.perAddress[key]; {
	case n == mostMails:
		s.did("an address has all mails of a day")
	case n > mostMails:
		s.fail(b, "%s gets mail %d of a day (D16)", p.to, n)
	}
}

// letterOf is the letter with a code of a request.
func (b *subscriber) letterOf(request int64, generation int) *letter {
	for _, l := range b.letters {
		if l.request == request && l.generation == generation {
			return l
		}
	}
	return nil
}

func (s *simulation) deliverCode(b *subscriber, p parcel) {
	code := codeIn.FindStringSubmatch(p.text)
	if code == nil {
		s.fail(b, "a mail without a code: %s", p.text)
		return
	}
	l := b.letterOf(p.request, p.generation)
	if l != nil {
		s.repeated(b, l, p, code[1])
		return
	}
	l = &letter{request: p.request, generation: p.generation, to: p.to, path: p.from, code: code[1], began: s.now, chosen: strings.Contains(p.text, isChosen)}
	if at, ok := s.orphans[strconv.FormatInt(p.request, 10)+"."+strconv.Itoa(p.generation)]; ok {
		l.began = at // a worker that died started it
	}
	s.checkDeadline(b, l, p)
	for _, other := range b.letters {
		if other.request != l.request && other.good(s.now) {
			s.fail(b, "has a code of another open request (I4)")
		}
		if !l.chosen && b.renewed == 0 && other.to == l.to && s.now.Sub(other.began) < 48*time.Hour {
			s.fail(b, "is invited twice within two days (D16)")
		}
	}
	b.letters = append(b.letters, l)
	if !b.done.IsZero() {
		s.fail(b, "is invited after the switch")
	}
	if l.chosen {
		s.in(b.hours(0.1, 20), func() { s.visit(b, l, activates) })
		return
	}
	s.leaves(b, strconv.FormatInt(p.request, 10)+"."+strconv.Itoa(p.generation))
	s.checkInvitation(b)
	s.react(b, l)
}

// repeated takes another mail with a known code: a resend, or a copy after doubt.
func (s *simulation) repeated(b *subscriber, l *letter, p parcel, code string) {
	if code != l.code || p.to != l.to {
		s.fail(b, "two codes or addresses of request %d, generation %d (I5)", p.request, p.generation)
	}
	if !s.now.Before(l.ends()) {
		s.fail(b, "a code is mailed after its deadline (I5)")
	}
	if l.dead != "" {
		s.fail(b, "a code is mailed again that is dead: %s", l.dead)
	}
	s.checkDeadline(b, l, p)
	if c := s.campaigns[b.campaign]; p.another == 0 && !l.chosen && c.before != "running" {
		s.fail(b, "an invitation goes out again while the campaign is %s (D12)", c.before)
	}
	if p.another > 0 {
		s.did("resent")
		s.in(b.hours(0.2, 2), func() { s.visit(b, l, activates) })
	}
}

func (s *simulation) checkDeadline(b *subscriber, l *letter, p parcel) {
	if printed := conversion.FrenchTime(l.ends()); !strings.Contains(strings.ReplaceAll(p.text, "\u00a0", " "), strings.ReplaceAll(printed, "\u00a0", " ")) {
		s.fail(b, "the mail does not say %s, but (R23, D4):\n%s", printed, p.text)
	}
}

// checkInvitation checks D12, D14, D16 and D17 for an invitation that goes out now.
func (s *simulation) checkInvitation(b *subscriber) {
	c := s.campaigns[b.campaign]
	switch {
	case c.before != "running":
		s.fail(b, "is invited while the campaign is %s (D12)", c.before)
	case b.alone:
		s.fail(b, "is invited, though left alone (D17)")
	case c.MinHelp > 0 && s.help.Between(s.now, s.now.Add(lifetime)) < c.MinHelp:
		s.fail(b, "has %s of assistance, not %s (D14)", s.help.Between(s.now, s.now.Add(lifetime)), c.MinHelp)
	case b.invited > 1+c.Again+b.renewed:
		s.fail(b, "is invited %d times (D16)", b.invited)
	case b.invited > 1 && b.renewed == 0 && b.expires.AddDate(0, 0, -31).After(s.now):
		s.fail(b, "is invited again long before the certificate ends (D16)")
	}
	if b.invited > 1 {
		s.did("invited again")
	}
}

func (s *simulation) deliverReminder(b *subscriber, p parcel) {
	l := b.letterOf(p.request, p.generation)
	if l == nil {
		s.fail(b, "is reminded of nothing")
		return
	}
	s.checkDeadline(b, l, p)
	c := s.campaigns[b.campaign]
	switch {
	case !strings.Contains(p.text, l.code):
		s.fail(b, "the reminder has another code (D16)")
	case l.reminded:
		s.fail(b, "is reminded twice (D16)")
	case !b.done.IsZero() || !l.typed.IsZero() || l.dead != "" || l.chosen:
		s.fail(b, "is reminded, though it needs none (D16): %+v", *l)
	case s.now.Before(l.began.Add(lifetime/2)) || !s.now.Before(l.ends()):
		s.fail(b, "is reminded at the wrong time (D16)")
	case !s.help.Open(s.now):
		s.fail(b, "is reminded while nobody answers (D16)")
	case c.before != "running":
		s.fail(b, "is reminded while the campaign is %s (D12)", c.before)
	case b.alone:
		s.fail(b, "is reminded, though left alone (D17)")
	}
	l.reminded = true
	if s.boxes[l.to].kind == "" && b.IntN(100) < 35 {
		s.in(b.hours(0.1, 20), func() { s.visit(b, l, activates) })
	}
}
