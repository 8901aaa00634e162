package plan_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/plan"
)

const lifetime = conversion.DefaultCodeLifetime

func hours(t interface{ Fatal(...any) }, s string) assistance.Hours {
	h, err := assistance.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// paris is an instant that the clock in Paris shows.
func paris(t interface{ Fatal(...any) }, s string) time.Time {
	at, err := time.ParseInLocation("2006-01-02 15:04", s, conversion.Paris)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func day(n int) time.Time { return time.Date(2031, 5, n, 0, 0, 0, 0, time.UTC) }

func dateOf(at time.Time) time.Time {
	y, m, d := at.In(conversion.Paris).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// D13: a plan adds up to the held invitations, whatever is held and however it is
// braked. No day is above its limit. Each day's mails are those that come first on that
// day.
func TestAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) conversion.PendingGroup {
			mails := rapid.IntRange(1, 40).Draw(t, "mails")
			return conversion.PendingGroup{
				Released: rapid.IntRange(0, 9).Draw(t, "released") == 0,
				Priority: rapid.IntRange(1, 9).Draw(t, "priority"), Expires: day(rapid.IntRange(-30, 60).Draw(t, "expires")),
				Address: max(0, rapid.IntRange(-6, 3).Draw(t, "address")), NotBefore: day(rapid.IntRange(-60, 6).Draw(t, "not before")),
				Mails: mails, Alone: rapid.IntRange(0, mails).Draw(t, "alone"),
			}
		}), 0, 30).Draw(t, "groups")
		b := plan.Brakes{
			From:   day(1).Add(time.Duration(rapid.IntRange(0, 72*60).Draw(t, "from")) * time.Minute),
			PerDay: rapid.IntRange(0, 50).Draw(t, "per day"), Today: rapid.IntRange(0, 60).Draw(t, "today"),
			Rate:     rapid.SampledFrom([]float64{0, 0.001, 1.0 / 1800, 0.3, 1000}).Draw(t, "rate"),
			MinHelp:  time.Duration(rapid.IntRange(0, 30*60).Draw(t, "min help")) * time.Minute,
			Lifetime: lifetime, Help: hours(t, "Mon-Fri 08:00-12:00 14:00-19:30"),
		}
		if b.PerDay == 0 && b.Rate == 1.0/1800 {
			b.Rate = 0.01
		}
		p := plan.Make(slices.Clone(groups), b)
		checkSum(t, groups, p)
		checkDays(t, p, b)
		checkOrder(t, groups, p)
	})
}

func checkSum(t *rapid.T, groups []conversion.PendingGroup, p plan.Plan) {
	held, alone, sum, late := 0, 0, 0, 0
	for _, g := range groups {
		held, alone = held+g.Mails, alone+g.Alone
	}
	for _, d := range p.Days {
		parts := 0
		for _, g := range d.Parts {
			if parts += g.Mails; g.Expires.Before(d.Date) {
				late += g.Mails
			}
		}
		if sum += d.Mails; parts != d.Mails {
			t.Errorf("the parts of %s are %d, not %d", d.Date, parts, d.Mails)
		}
	}
	if sum != p.Mails || sum+p.Alone+p.Never+p.Beyond != held || p.Alone != alone || late != p.Late {
		t.Errorf("%d leave, %d late; of %d held the plan says %d, %d, alone %d, never %d, beyond %d", sum, late, held, p.Mails, p.Late, p.Alone, p.Never, p.Beyond)
	}
}

func checkDays(t *rapid.T, p plan.Plan, b plan.Brakes) {
	for i, d := range p.Days {
		limit := b.PerDay
		if d.Date.Equal(dateOf(b.From)) {
			limit -= b.Today
		}
		if b.PerDay > 0 && d.Mails > limit {
			t.Errorf("%d leave on %s, where %d may", d.Mails, d.Date, limit)
		}
		if !dateOf(d.First).Equal(d.Date) || !dateOf(d.Last).Equal(d.Date) || d.First.Before(b.From) || d.Last.Before(d.First) {
			t.Errorf("of %s, the first leaves at %s and the last at %s", d.Date, d.First, d.Last)
		}
		if i > 0 && !p.Days[i-1].Date.Before(d.Date) {
			t.Errorf("%s is after %s", p.Days[i-1].Date, d.Date)
		}
		for _, at := range []time.Time{d.First, d.Last} {
			if help := b.Help.Between(at, at.Add(lifetime)); help < b.MinHelp {
				t.Errorf("at %s there are %s of assistance ahead", at, help)
			}
		}
	}
}

// checkOrder finds what leaves of each day by looking at all mails one by one. An
// address gets five of them on a day (D16).
func checkOrder(t *rapid.T, groups []conversion.PendingGroup, p plan.Plan) {
	var mails []conversion.PendingGroup
	for _, g := range groups {
		for range g.Mails - g.Alone {
			one := g
			one.Mails, one.Alone = 1, 0
			mails = append(mails, one)
		}
	}
	rank := func(g conversion.PendingGroup, today time.Time) (r int) {
		if !g.Released {
			r = 100
		}
		if r += 2 * g.Priority; g.Expires.Before(today) {
			r++
		}
		return r
	}
	for _, d := range p.Days {
		slices.SortStableFunc(mails, func(x, y conversion.PendingGroup) int {
			return cmp.Or(cmp.Compare(rank(x, d.Date), rank(y, d.Date)), x.Expires.Compare(y.Expires))
		})
		left, had := 0, make(map[int]int)
		mails = slices.DeleteFunc(mails, func(m conversion.PendingGroup) bool {
			if left == d.Mails || m.NotBefore.After(d.Date) || m.Address != 0 && had[m.Address] == 5 {
				return false
			}
			left++
			had[m.Address]++
			want := conversion.PendingGroup{Released: m.Released, Priority: m.Priority, Expires: m.Expires, Mails: 1}
			got := partOf(d, left)
			if got.Mails = 1; got != want {
				t.Fatalf("mail %d of %s is %+v, want %+v", left, d.Date, got, want)
			}
			return true
		})
		if left != d.Mails {
			t.Fatalf("%d leave on %s, only %d may", d.Mails, d.Date, left)
		}
	}
}

// partOf is the part of a day's nth mail.
func partOf(d plan.Day, n int) conversion.PendingGroup {
	for _, part := range d.Parts {
		if n -= part.Mails; n <= 0 {
			return part
		}
	}
	return conversion.PendingGroup{}
}

// D13, D14: one plan, worked out by hand. The code of a mail that leaves on Friday the 2nd of
// May 2031 at 19:30 has no assistance before Monday.
func TestByHand(t *testing.T) {
	t.Parallel()
	p := plan.Make([]conversion.PendingGroup{
		{Priority: 5, Expires: day(2), Mails: 12},
		{Priority: 5, Expires: day(31), Mails: 3, Alone: 1},
		{Priority: 1, Expires: day(31), Mails: 2},
	}, plan.Brakes{
		From: paris(t, "2031-05-02 09:00"), PerDay: 5, Today: 1, MinHelp: 12 * time.Hour,
		Lifetime: lifetime, Help: hours(t, "Mon-Fri 08:00-19:30"),
	})
	// On Friday there are ten hours and a half ahead. At weekends there are eleven and
	// a half at the most, until on Sunday the lifetime reaches half an hour into
	// Tuesday. The 8th is a holiday.
	want := []string{"2031-05-04 08:30: 5, 1 late", "2031-05-05 00:00: 5, 5 late", "2031-05-06 00:00: 5, 5 late", "2031-05-11 08:30: 1, 1 late"}
	var got []string
	for _, d := range p.Days {
		got = append(got, fmt.Sprintf("%s: %d, %d late", d.First.In(conversion.Paris).Format("2006-01-02 15:04"), d.Mails, d.Late))
	}
	if !slices.Equal(got, want) {
		t.Errorf("they leave so: %q, want %q", got, want)
	}
	if !p.Last.Equal(paris(t, "2031-05-11 08:30")) || p.Mails != 16 || p.Late != 12 || p.Alone != 1 || p.Worst != 12*time.Hour || p.Median != 23*time.Hour {
		t.Errorf("the plan is %+v", p)
	}
}

// D13: a rate spreads the mails of a day, and goes on over midnight as if there were none.
func TestRate(t *testing.T) {
	t.Parallel()
	p := plan.Make([]conversion.PendingGroup{{Priority: 5, Expires: day(31), Mails: 10}}, plan.Brakes{
		From: paris(t, "2031-05-01 22:50"), Rate: 1.0 / 1200, Lifetime: lifetime, Help: hours(t, "Mon-Fri 08:00-19:30"),
	})
	if len(p.Days) != 2 || p.Days[0].Mails != 4 || !p.Days[1].First.Equal(paris(t, "2031-05-02 00:10")) || !p.Last.Equal(paris(t, "2031-05-02 01:50")) {
		t.Errorf("the plan is %+v", p)
	}
}

// D14: a plan tells which invitations can never start.
func TestNever(t *testing.T) {
	t.Parallel()
	p := plan.Make([]conversion.PendingGroup{{Priority: 5, Expires: day(2), Mails: 3}}, plan.Brakes{
		From: day(1), MinHelp: 30 * time.Hour, Lifetime: lifetime, Help: hours(t, "Mon-Fri 08:00-19:30"),
	})
	if p.Never != 3 || p.Mails != 0 || !p.Last.IsZero() {
		t.Errorf("the plan is %+v", p)
	}
}
