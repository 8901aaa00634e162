package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"bascule/internal/conversion"
)

// A subscriber is a person with a space, and the knowledge of that person.
type subscriber struct {
	*rand.Rand
	number   string
	campaign string
	contact  string // the address of invitations
	own      string // another address, of nobody else
	expires  time.Time
	priority int
	box      box    // of the contact address at first
	plans    intent // after the first invitation; "" leaves it to chance

	letters   []*letter
	invited   int            // invitations that went out
	renewed   int            // invitations that an administrator asked for
	done      time.Time      // when the space was switched
	enters    string         // the identifier, since then
	alone     bool           // complained, or is excluded
	chose     map[int64]bool // requests for which another address was chosen
	moved     bool           // nobody is at the contact address
	rejected  bool           // the row, so far
	confirmed int
	story     []string
}

// A box is how a mailbox treats mail.
type box string

const (
	boxGone  box = "gone"  // refuses for good
	boxMoved box = "moved" // takes it, and says hours later that nobody is there
	boxFull  box = "full"  // refuses for some days
)

// An intent is the reaction of somebody to a mail with a code.
type intent string

const (
	activates   intent = "activates"
	mistypes    intent = "mistypes, then activates"
	guesses     intent = "types so often that nobody listens, then activates"
	chooses     intent = "chooses another address"
	choosesLate intent = "chooses another address in the last minute"
	optsIn      intent = "enters with the certificate"
	lastMinute  intent = "activates in the last minute"
	late        intent = "comes too late"
	looks       intent = "types the code, and leaves"
	loses       intent = "has the mail sent again"
	complains   intent = "complains"
	forgets     intent = "forgets"
	phones      intent = "forgets, and asks for another invitation"
)

// intents are the frequencies of these reactions, in thousandths.
var intents = []struct {
	intent
	of int
}{
	{activates, 400}, {mistypes, 60}, {guesses, 6}, {chooses, 60}, {choosesLate, 8}, {optsIn, 40}, {lastMinute, 25}, {late, 35},
	{looks, 30}, {loses, 25}, {complains, 2}, {phones, 15}, {forgets, 294},
}

// populate makes the subscribers of all files. The first ones do each possible thing.
func (s *simulation) populate(seed uint64) {
	n := s.first + s.later + s.burst + s.wrong
	for i := range n {
		b := &subscriber{Rand: rand.New(rand.NewPCG(seed, uint64(i))), number: fmt.Sprintf("SIM%07d", i), chose: make(map[int64]bool)}
		b.contact, b.own = fmt.Sprintf("contact%d@cabinet%d.example", i, i%97), fmt.Sprintf("personne%d@ailleurs.example", i)
		b.priority = []int{5, 5, 5, 2, 8}[b.IntN(5)]
		b.expires = dateOf(day(s.expiries+b.IntN(s.expired-s.expiries), 12, 0))
		switch p := b.IntN(1000); {
		case p < 8:
			b.box = boxGone
		case p < 16:
			b.box = boxMoved
		case p < 22:
			b.box = boxFull
		case p < 40 && i > 0: // one firm, several spaces
			b.contact = s.subscribers[i-1].contact
			b.box = s.subscribers[i-1].box
		}
		switch {
		case i < s.first+s.later:
			b.campaign = mainCampaign
		case i < n-s.wrong:
			b.campaign = burstCampaign
		default:
			b.campaign = wrongCampaign
		}
		s.subscribers = append(s.subscribers, b)
		s.byNumber[b.number] = b
	}
	s.castParts()
}

// A firm has more spaces at one address than that may be mailed on a day.
const (
	firmFrom = 60
	firmSize = 9
)

// castParts gives some subscribers their reactions, so that each run meets everything.
func (s *simulation) castParts() {
	for i, part := range intents {
		s.subscribers[2*i].plans, s.subscribers[2*i].box = part.intent, ""
	}
	for i, b := range []box{boxGone, boxMoved, boxFull} {
		s.subscribers[2*len(intents)+i].box = b
	}
	for _, b := range s.subscribers[firmFrom : firmFrom+firmSize] {
		b.contact, b.box, b.priority, b.expires = "accueil@firme.example", "", 2, dateOf(day(s.expiries, 12, 0))
	}
	for i := range s.burst { // nobody shares an address there: complaints leave nobody else alone
		b := s.subscribers[s.first+s.later+i]
		b.contact, b.box = fmt.Sprintf("rapide%d@cabinet.example", i), ""
		if i < s.burst/25 {
			b.plans = complains
		}
	}
	for _, b := range s.subscribers[len(s.subscribers)-s.wrong:] {
		b.contact, b.box = strings.ToLower(b.number)+"@erreur.example", ""
	}
	for _, b := range s.subscribers {
		if s.boxes[b.contact] == nil { // the first subscriber with the address has the mailbox
			s.boxes[b.contact] = &mailbox{kind: b.box}
		}
		s.boxes[b.own] = &mailbox{}
	}
}

// A mailbox is behind an address.
type mailbox struct {
	kind      box
	fullUntil time.Time // once somebody met a full one
}

// mailbox is the answer of a mailbox to a relay.
func (s *simulation) mailbox(to string) string {
	b := s.boxes[to]
	switch {
	case b == nil:
		return ""
	case b.kind == boxGone:
		return "550 5.1.1 no such user"
	case b.kind == boxFull && (b.fullUntil.IsZero() || s.now.Before(b.fullUntil)):
		return "452 4.2.2 mailbox full"
	}
	return ""
}

func (b *subscriber) tell(at time.Time, format string, args ...any) {
	b.story = append(b.story, at.In(conversion.Paris).Format("Mon 02 Jan 15:04:05 ")+fmt.Sprintf(format, args...))
}

// fail ends the run, with all that happened to a subscriber.
func (s *simulation) fail(b *subscriber, format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s, subscriber %s of %s: %s\n%s", s.now.In(conversion.Paris).Format("Mon 2006-01-02 15:04:05"), b.number, b.campaign,
		fmt.Sprintf(format, args...), strings.Join(b.story, "\n"))
}

// mind is the decision of somebody after an invitation.
func (b *subscriber) mind() intent {
	if b.plans != "" {
		plan := b.plans
		b.plans = ""
		return plan
	}
	sum := 0
	p := b.IntN(1001)
	for _, part := range intents {
		if sum += part.of; p < sum {
			return part.intent
		}
	}
	return forgets
}

// hours is a time of so many hours, to the second.
func (b *subscriber) hours(from, to float64) time.Duration {
	return time.Duration((from + b.Float64()*(to-from)) * float64(time.Hour)).Truncate(time.Second)
}
