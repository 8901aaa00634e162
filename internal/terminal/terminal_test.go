package terminal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/plan"
	"bascule/sql"
)

// Both forms of a status tell the same numbers.
func TestStatusForms(t *testing.T) {
	t.Parallel()
	s := NewStatus(sql.Status{
		Counts: sql.Counts{Mailed: 3, Expired: 1, NotDelivered: 1, Spaces: map[conversion.Access]int{conversion.AccessCertificate: 4}},
		ToSend: 120, Leaving: 60, Held: 70, LastMinute: 90,
	}, 0, nil)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"mailed":3`, `"not_delivered":1`, `"queue_depth":null`, `"mails_to_send":180`, `"held":70`, `"mails_per_second":1.5`, `"seconds_left":120`, `"paused_campaigns":[]`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s has no %s", b, want)
		}
	}
	var text strings.Builder
	s.Print(&text)
	for _, want := range []string{"All batches", "█ 75.0 %", "         4  total", "of the expired were not delivered", "       180  to send", "       1.5  a second", "        60  of them in their turn, as the brakes", "      2m0s  left at this pace", "        10  held by campaigns", "–  wake-ups"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// Both forms tell why no mail goes out, if that is known.
func TestStandstill(t *testing.T) {
	t.Parallel()
	next := time.Date(2031, 5, 6, 9, 5, 45, 0, time.UTC)
	for want, s := range map[string]sql.Status{
		"": {Standstill: sql.Standstill{Handed: 9 * time.Second}},
		"no worker is alive: start `bascule work`":                                                         {Standstill: sql.Standstill{NoWorker: true, NextAt: next}, Breaker: "421"},
		"the relay has had a mail for 45s without an answer, unless the log of `work` tells of PostgreSQL": {Standstill: sql.Standstill{Handed: 45 * time.Second}},
		"Redis is of no use to `work`: its memory is full":                                                 {Standstill: sql.Standstill{Trouble: "its memory is full", NextAt: next}},
		"the next one is due 2031-05-06 11:05:45":                                                          {Standstill: sql.Standstill{NextAt: next}},
		"the next one is tried 2031-05-06 11:05:45, as the relay put it off: 450 4.2.0 full":               {Standstill: sql.Standstill{NextAt: next, Refusal: "450 4.2.0 full"}},
	} {
		got := NewStatus(s, 0, nil)
		var text strings.Builder
		got.Print(&text)
		if got.Standstill != want || strings.Contains(text.String(), "No mail goes out: "+want) != (want != "") {
			t.Errorf("%q, want %q, in\n%s", got.Standstill, want, text.String())
		}
	}
	if got := NewStatus(sql.Status{Standstill: sql.Standstill{NextAt: next}, Breaker: "421"}, 0, nil); got.Standstill != "" {
		t.Errorf("%q beside the breaker", got.Standstill)
	}
}

// Equal days that follow each other are one line of a plan.
func TestPlanJoinsDays(t *testing.T) {
	t.Parallel()
	day := func(n, mails int) plan.Day {
		return plan.Day{Date: time.Date(2026, 6, n, 0, 0, 0, 0, time.UTC), Mails: mails,
			Parts: []conversion.PendingGroup{{Priority: n, Expires: time.Date(2026, 7, n, 0, 0, 0, 0, time.UTC)}}}
	}
	var b strings.Builder
	writeDays(&b, []plan.Day{day(1, 20), day(2, 20), day(4, 20), day(5, 7)})
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"from until days a day expired priority certificates expire",
		"2026-06-01 2026-06-02 2 20 0 1-2 2026-07-01..2026-07-02", "2026-06-04 2026-06-04 1 20 0 4 2026-07-04", "2026-06-05 2026-06-05 1 7 0 5 2026-07-05",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// A name is one word for a shell, whatever it holds.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"spring": "spring", "lot 3": "'lot 3'", "": "''", "l'été": `'l'\''été'`, "$(rm)": "'$(rm)'", "a+b@c.example": "a+b@c.example"} {
		if got := ShellWord(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// A duration has no zeros behind it that say nothing.
func TestShortDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0h", 10 * time.Second: "10s", 30 * time.Minute: "30m", 7*time.Hour + 30*time.Minute: "7h30m", 12 * time.Hour: "12h", 20*time.Hour + time.Minute: "20h1m",
	} {
		if got := ShortDuration(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// The mails to the domains that are named and to the others add up to all.
func TestRecipientsAddUp(t *testing.T) {
	t.Parallel()
	to := sql.Recipients{Addresses: 9, Domains: []sql.DomainMails{{Domain: "a.example", Mails: 4}, {Domain: "b.example", Mails: 3}}}
	for mails, want := range map[int]string{9: "3  mails to b.example\n         2  mails to other domains\n", 7: "3  mails to b.example\n"} {
		var b strings.Builder
		printRecipients(&b, to, mails)
		if !strings.HasSuffix(b.String(), want) {
			t.Errorf("%d mails: %s", mails, b.String())
		}
	}
}

// Five hundred companies do not push the state of a space and the next step off the
// screen; the number of those that are not told is.
func TestManyCompaniesOfAStory(t *testing.T) {
	t.Parallel()
	for n, last := range map[int]string{10: "    000000009 SARL\n\nLog", 500: "    000000009 SARL\n    … and 490 more: --json has them all\n\nLog"} {
		var s sql.Story
		for i := range n {
			s.Companies.All = append(s.Companies.All, conversion.Company{SIREN: conversion.SIREN(fmt.Sprintf("%09d", i)), Name: "SARL"})
		}
		var b strings.Builder
		printStory(&b, s)
		if !strings.Contains(b.String(), last) {
			t.Errorf("%d companies: want %q in\n%s", n, last, b.String())
		}
	}
}

// The pace says nothing about brakes: a campaign that has reached its limit of the day
// tells when it goes on.
func TestNextMail(t *testing.T) {
	t.Parallel()
	p := sql.CampaignProgress{Campaign: sql.Campaign{Name: "lot 3", State: sql.CampaignRunning}, CampaignCounts: sql.CampaignCounts{Held: 8}}
	next := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC)
	for want, c := range map[string]Campaign{
		"Next: wait until 2026-07-01 00:00:00, as its brakes want it; `bascule campaign pause 'lot 3'` stops the invitations\n": NewCampaign(p, next, time.Time{}),
		"Next: invitations are leaving; `bascule campaign pause 'lot 3'` stops them\n":                                          NewCampaign(p, time.Time{}, time.Time{}),
	} {
		var b strings.Builder
		c.Print(&b)
		if !strings.HasSuffix(b.String(), want) || strings.Contains(b.String(), "the next one leaves on 2026-07-01") != (c.NextMail != nil) {
			t.Errorf("want %q at the end of\n%s", want, b.String())
		}
	}
}

// A pilot lets only the rest of its mails go, which may be none.
func TestLeavingOfAPilot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pilot, started, held int
		want                 string
	}{
		{0, 3, 5, ": 5 invitations leave."}, {9, 3, 5, ": 5 invitations leave."},
		{7, 3, 5, ": 4 of 5 invitations leave, then it pauses."}, {3, 3, 5, ": 0 of 5 invitations leave, then it pauses."},
		{3, 4, 5, ": 0 of 5 invitations leave, then it pauses."},
	} {
		p := sql.CampaignProgress{Campaign: sql.Campaign{CampaignSettings: sql.CampaignSettings{Pilot: c.pilot}}}
		p.Started, p.Held = c.started, c.held
		if got := Leaving(p); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// A campaign that may start is told how; what is red, or has started, is not.
func TestCheckTellsTheStart(t *testing.T) {
	t.Parallel()
	const start = "\nNo line is red: `bascule campaign start 'lot 3'` sends the invitations.\n"
	for _, c := range []struct {
		Check
		tells bool
	}{
		{Check{Campaign: "lot 3", Ready: true, Prepared: true}, true},
		{Check{Campaign: "lot 3", Prepared: true}, false},
		{Check{Campaign: "lot 3", Ready: true}, false},
	} {
		var b strings.Builder
		c.Print(&b)
		if (b.String() == start) != c.tells {
			t.Errorf("%+v says %q", c.Check, b.String())
		}
	}
}
