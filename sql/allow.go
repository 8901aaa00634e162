package sql

import (
	"context"
	_ "embed"

	"github.com/lib/pq"

	"bascule/internal/conversion"
)

var (
	//go:embed query/allow.sql
	allowMails string
	//go:embed query/take_back_allowance.sql
	takeBackAllowance string
)

// counts tells whether the mail is one of those that its address may have on a day:
// one of a campaign, to an address that several spaces share, or shared today. Of one
// space alone no campaign has so many mails. What may have gone out already goes on.
func (m *Mail) counts() bool {
	return m.CampaignID != 0 && (m.Sharing > 1 || m.Counted) && m.Interruptions == 0 && !m.Started
}

// An allowance is how many of the mails that want to go to an address today may.
type allowance struct {
	Key      string `db:"email_key"`
	Day      string `db:"day"`
	Granted  int    `db:"granted"`
	Tomorrow string `db:"tomorrow"` // when the next day begins
}

// allow lets as many mails to a shared address start as it may have today. The others
// wait for the next day (D16).
func (w *window) allow(ctx context.Context, f *fates) error {
	wanted := perKey(f.start)
	if len(wanted) == 0 {
		return nil
	}
	keys, numbers := columns(wanted)
	var list []allowance
	if err := w.tx.SelectContext(ctx, &list, allowMails, keys, numbers, conversion.MailsPerAddress); err != nil {
		return err
	}
	w.allowances = make(map[string]allowance, len(list))
	granted := make(map[string]int, len(list))
	for _, a := range list {
		w.allowances[a.Key], granted[a.Key] = a, a.Granted
	}
	all := f.start
	f.start = nil
	for _, m := range all {
		if key := m.To.Key(); m.counts() {
			if granted[key] == 0 {
				f.delayed = append(f.delayed, delay{mail: m, until: w.allowances[key].Tomorrow})
				continue
			}
			granted[key]--
		}
		f.start = append(f.start, m)
	}
	return nil
}

// admit lets those start that the rate of mails allows. The others stay due, and their
// addresses may have as many others.
func (w *window) admit(ctx context.Context, f *fates) (err error) {
	if w.Admit == nil {
		return nil
	}
	stay := perKey(f.start)
	if f.start, err = w.Admit(f.start); err != nil {
		return err
	}
	for key, n := range perKey(f.start) {
		if stay[key] -= n; stay[key] == 0 {
			delete(stay, key)
		}
	}
	if len(stay) == 0 {
		return nil
	}
	keys, numbers := columns(stay)
	days := make(pq.StringArray, len(keys))
	for i, key := range keys {
		days[i] = w.allowances[key].Day
	}
	return run(ctx, w.tx, do(takeBackAllowance, keys, days, numbers))
}

// perKey is how many of the mails count for each address.
func perKey(mails []*Mail) map[string]int {
	n := make(map[string]int)
	for _, m := range mails {
		if m.counts() {
			n[m.To.Key()]++
		}
	}
	return n
}

func columns(perKey map[string]int) (keys pq.StringArray, numbers pq.Int64Array) {
	for key, n := range perKey {
		keys, numbers = append(keys, key), append(numbers, int64(n))
	}
	return keys, numbers
}
