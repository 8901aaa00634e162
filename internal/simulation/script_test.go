package simulation

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bascule/importer"
	"bascule/internal/conversion"
	"bascule/sql"
)

const (
	mainCampaign  = "metropole"
	burstCampaign = "rapide"
	wrongCampaign = "erreur"
	admin         = "admin"
)

// A campaign is what administrators know of a campaign.
type campaign struct {
	sql.CampaignSettings
	name         string
	state        string      // now
	before       string      // as the workers began to look
	left         []time.Time // when its invitations left
	last         *subscriber // of those that left now, the last in order
	perDate      map[time.Time]int
	perDayBefore int // a setting of the same day counts until midnight
}

// script lists the acts of administrators, and the troubles of the relay and the
// workers.
func (s *simulation) script() {
	burst := s.first + s.later
	wrong := burst + s.burst
	moments := []struct {
		at  time.Time
		run func()
	}{
		{day(0, 10, 0), func() { s.hand(mainCampaign, s.subscribers[:s.first]) }},
		{day(0, 11, 0), func() {
			s.start(mainCampaign, sql.CampaignSettings{StartsAt: day(1, 9, 0), Pilot: s.pilot, PerDay: s.perDay, MinHelp: 12 * time.Hour, Again: 3})
		}},
		{day(1, 9, 0), s.soon},
		{day(3, 15, 0), func() { s.hand(mainCampaign, s.subscribers[s.first:burst]) }},
		{day(4, 10, 0), func() { s.hand(burstCampaign, s.subscribers[burst:wrong]) }},
		{day(4, 11, 0), func() { s.start(burstCampaign, sql.CampaignSettings{Again: 1}) }},
		{day(5, 9, 0), s.excludeNext},
		{day(8, 9, 0), func() { s.exclude(s.excluded, false) }}, // as many as the day has room for have left
		{day(6, 23, 30), func() { s.trouble(mood{refusal: "away"}) }},
		{day(7, 0, 30), s.calm},
		{day(8, 10, 0), func() { s.hand(wrongCampaign, s.subscribers[wrong:]) }},
		{day(8, 11, 0), func() { s.start(wrongCampaign, sql.CampaignSettings{Pilot: s.wrong * 3 / 4, Again: 2}) }},
		{day(8, 15, 0), s.cancelWrong},
		{day(9, 9, 0), func() { s.pauseCampaign(mainCampaign) }},
		{day(10, 14, 0), func() { s.resume(mainCampaign) }},
		{day(11, 0, 0), s.live},
		{day(11, 23, 0), func() { s.trouble(mood{refusal: "554 5.7.1 your network is on a list"}) }},
		{day(12, 23, 0), s.calm},
		{day(15, 0, 0), func() { s.trouble(mood{mute: 4}) }},
		{day(15, 0, 0).Add(10 * time.Second), func() { s.pauseCampaign(mainCampaign) }}, // a mail in doubt waits, too
		{day(15, 6, 0), s.calm},
		{day(15, 9, 0), func() { s.resume(mainCampaign) }},
		{day(16, 0, 0), s.die},
		{day(17, 14, 0), s.correct},
		{day(18, 10, 0), func() { s.set(mainCampaign, func(c *sql.CampaignSettings) { c.PerDay = c.PerDay * 3 / 2 }) }},
		{day(26, 14, 0), s.correct},
		{day(s.days-8, 15, 0), func() { s.end(burstCampaign) }},
		{day(s.days-7, 15, 0), func() { s.end(mainCampaign) }},
	}
	for n := 38; n < s.days-10; n += 28 { // Thursdays: mails leave as they begin
		s.add(day(n, 0, 0), s.live)
		s.add(day(n+2, 14, 0), s.correct)
	}
	for _, m := range moments {
		s.add(m.at, m.run)
	}
}

// hand imports a sheet. One in a hundred rows has no address in it. The address comes
// with the next correction.
func (s *simulation) hand(name string, rows []*subscriber) {
	good := 0
	for _, b := range rows {
		b.rejected = name == mainCampaign && b.plans == "" && b.IntN(100) == 0
		if !b.rejected {
			good++
		}
	}
	s.importSheet(name, rows, good)
	if s.campaigns[name] == nil {
		s.campaigns[name] = &campaign{name: name, state: "prepared", perDate: make(map[time.Time]int)}
	}
	s.foresee()
	s.soon()
}

func (s *simulation) importSheet(name string, rows []*subscriber, good int) {
	var sheet bytes.Buffer
	sheet.WriteString("numéro d'abonné;titulaire;adresse électronique;numéro de série;date d'expiration;priorité\n")
	for i, b := range rows {
		contact := b.contact
		if b.rejected {
			contact = "sans adresse"
		}
		fmt.Fprintf(&sheet, "%s;Cabinet %d;%s;%X;%s;%d\n", b.number, i, contact, b.number, b.expires.Format("02/01/2006"), b.priority)
	}
	path := filepath.Join(s.t.TempDir(), "liste.csv")
	s.must(os.WriteFile(path, sheet.Bytes(), 0o600))
	result, err := importer.Run(s.t.Context(), s.db.DB, importer.Options{Path: path, Campaign: name, Actor: admin, Keys: s.keys})
	s.must(err)
	s.tell("%d rows for %s: %+v", len(rows), name, result)
	if result.Accepted != good || result.Rejected != len(rows)-good {
		s.t.Errorf("%d of %d rows are good; the import says %+v", good, len(rows), result)
	}
	s.accepted += good
}

func (s *simulation) start(name string, how sql.CampaignSettings) {
	s.must(s.db.StartCampaign(s.t.Context(), name, how, "", admin))
	s.tell("%s is started: %s", name, how)
	c := s.campaigns[name]
	c.CampaignSettings, c.state = how, "running"
	s.soon()
}

func (s *simulation) set(name string, change func(*sql.CampaignSettings)) {
	s.must(s.db.SetCampaign(s.t.Context(), name, change, admin))
	c := s.campaigns[name]
	c.perDayBefore = c.PerDay
	change(&c.CampaignSettings)
	s.tell("%s is set to %s", name, c.CampaignSettings)
	s.foresee()
	s.soon()
}

func (s *simulation) pauseCampaign(name string) {
	s.must(s.db.PauseCampaign(s.t.Context(), name, "by hand", admin))
	s.tell("%s is paused", name)
	s.campaigns[name].state = "paused"
	s.foresee()
}

func (s *simulation) resume(name string) {
	s.must(s.db.ResumeCampaign(s.t.Context(), name, admin))
	s.tell("%s goes on", name)
	s.campaigns[name].state = "running"
	s.foresee()
	s.soon()
}

// cancelWrong ends the campaign of the wrong file. Its codes are dead, and half of
// their recipients try one.
func (s *simulation) cancelWrong() {
	ended, err := s.db.CancelCampaign(s.t.Context(), wrongCampaign, "the wrong file", admin)
	s.must(err)
	s.tell("%s is cancelled: %d requests", wrongCampaign, ended)
	s.campaigns[wrongCampaign].state = "cancelled"
	for _, b := range s.subscribers[len(s.subscribers)-s.wrong:] {
		for _, l := range b.letters {
			if l.good(s.now) {
				l.die("the campaign is cancelled")
				s.did("a code of a cancelled campaign")
				s.in(b.hours(0, 40), func() { s.visit(b, l, activates) })
			}
		}
	}
}

// end closes a campaign: a mailed code is good until its deadline.
func (s *simulation) end(name string) {
	s.judgeNow()
	n, err := s.db.CloseCampaign(s.t.Context(), name, "it is over", admin)
	s.must(err)
	s.tell("%s is closed: %d requests whose mail had not gone out", name, n)
	s.campaigns[name].state = "closed"
}

// excludeNext leaves the one alone who would be invited next.
func (s *simulation) excludeNext() {
	s.excluded = s.byNumber[s.db.Text(s.t, `SELECT s.number FROM held h JOIN space s ON s.id = h.space_id JOIN campaign c ON c.id = h.campaign_id
		WHERE c.name = $1 ORDER BY h.priority, h.expires, h.request_id LIMIT 1`, mainCampaign)]
	s.exclude(s.excluded, true)
}

// exclude leaves somebody alone, or no longer (D17).
func (s *simulation) exclude(b *subscriber, alone bool) {
	x, err := conversion.ParseExcluded(b.number)
	s.must(err)
	if alone {
		_, err = s.db.Exclude(s.t.Context(), sql.Exclusion{Excluded: x, Reason: "asked by phone"}, admin)
	} else {
		_, err = s.db.DB.Lift(s.t.Context(), x, "asked by phone", admin)
	}
	s.must(err)
	b.alone = alone
	b.tell(s.now, "is left alone: %v", alone)
	s.foresee()
	s.soon()
}

// trouble is a relay in a mood: no plan knows that.
func (s *simulation) trouble(m mood) {
	s.relay.feel(m)
	s.tell("the relay's mood is %+v", m)
	s.troubled = true
	s.foresee()
}

// calm is a good relay again.
func (s *simulation) calm() {
	s.relay.feel(mood{})
	s.tell("the relay is good again")
	s.settle()
}

// settle gives waiting mails an hour to leave, before the plan is made anew.
func (s *simulation) settle() {
	s.in(time.Hour, func() {
		s.troubled = false
		s.foresee()
	})
	s.soon()
}

// live lets a whole worker work, with a Redis, which is lost.
func (s *simulation) live() {
	s.tell("Redis is lost")
	s.troubled = true // a whole worker invites again when it likes
	s.judgeNow()
	s.readStates()
	s.liveDay()
	s.receive()
	s.did("Redis is lost")
	s.settle()
}

// die is a worker that starts mails, and is never heard of again.
func (s *simulation) die() {
	s.troubled = true
	s.judgeNow()
	_, err := s.worker.DB.Release(s.t.Context(), s.help, lifetime)
	s.must(err)
	start, err := s.worker.DB.StartMail(s.t.Context(), sql.Window{Lane: sql.LaneBulk, Limit: 3, Lifetime: lifetime, Keys: s.keys, Help: s.help})
	s.must(err)
	s.tell("a worker dies with %d mails", len(start.Mails))
	if len(start.Mails) > 0 {
		s.did("a worker dies")
	}
	for _, m := range start.Mails {
		s.orphans[fmt.Sprintf("%d.%d", m.RequestID, m.Generation)] = s.now
	}
	s.settle()
}

// correct imports the rejected rows again, and the new addresses of subscribers who
// moved.
func (s *simulation) correct() {
	var rows []*subscriber
	for _, b := range s.subscribers[:s.first+s.later] {
		switch {
		case b.rejected:
			b.rejected = false
			if s.identifiers[b.contact] != nil {
				b.contact, b.own = b.own, "autre."+b.own
				s.boxes[b.own] = &mailbox{}
			}
		case b.moved && b.done.IsZero() && !b.alone && len(b.chose) == 0:
			b.moved, b.contact = false, "nouveau."+b.own // of nobody else, whoever shared the old one
			s.boxes[b.contact] = &mailbox{}
			for _, l := range b.letters {
				l.die("another contact address")
			}
			b.renewed++
		default:
			continue
		}
		rows = append(rows, b)
	}
	if len(rows) == 0 {
		return
	}
	s.did("corrected")
	s.importSheet(mainCampaign, rows, len(rows))
	s.foresee()
	s.soon()
}
