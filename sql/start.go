package sql

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A Window says which mails are started, and by whom.
type Window struct {
	Lane     Lane
	Limit    int
	Probe    bool          // although the breaker is open
	Another  bool          // no mail that met the breaker's refusals (D11)
	Lifetime time.Duration // of an activation code (R21)
	Keys     *conversion.Keyring
	Help     Assistance // reminders wait for it (D16); nil: they do not wait
	Front    *Front     // of all slots of this lane in this process; nil: each looks at all that is due
	// Admit chooses among the mails that may start; the others stay due. It is called
	// within the transaction, maybe several times. Nil chooses all.
	Admit func([]*Mail) ([]*Mail, error)
}

// A Start is what became of the mails that were due.
type Start struct {
	Found     int     // how many were due and free
	Mails     []*Mail // mails to hand to the relay: their start is committed
	Unwritten error   // why a mail that stays due cannot be written

	over []int64 // requests whose mail was under way when their campaign was closed, and failed
}

// StartMail takes the mails of a lane that have been due for longest and starts their
// hand-over, in one transaction: no worker waits for a mail that another one has, and
// nobody is mailed unless the start is on record (I5). Workers that want many mails take
// turns. The deadline of a code counts from now (D4). A mail that has become void is
// dropped. A request of a closed campaign ends if its code never started. A mail that was
// interrupted three times counts as mailed. A mail waits if somebody holds its code, or if
// its space is left alone.
func (db *DB) StartMail(ctx context.Context, t Window) (Start, error) {
	var start Start
	if t.Front == nil {
		t.Front = &Front{}
	}
	run := func(tx *sqlx.Tx) (err error) {
		w := window{Window: t, tx: tx, token: uuid.NewString()}
		start, err = w.run(ctx)
		return err
	}
	var err error
	if t.Limit > fewMails {
		err = db.inTurn(ctx, startLock, run)
	} else {
		err = db.inTx(ctx, run)
	}
	if err != nil {
		return Start{}, fmt.Errorf("start %s mail: %w", t.Lane, err)
	}
	if len(start.over) > 0 {
		_, err = db.end(ctx, start.over, true, "worker", byAdministrator) // if it fails, the mails are looked at again
		start.Unwritten = cmp.Or(start.Unwritten, wrap(err, "end requests of a closed campaign"))
	}
	return start, nil
}

var (
	//go:embed query/lock_due.sql
	lockDue string
	//go:embed query/read_codes.sql
	readCodes string
	//go:embed query/read_others.sql
	readOthers string
	//go:embed query/read_messages.sql
	readMessages string
	//go:embed query/start_mail.sql
	startMail string
	//go:embed query/start_codes.sql
	startCodes string
	//go:embed query/give_in_to_doubt.sql
	giveInToDoubt string
	//go:embed query/put_off_mail.sql
	putOffMail string
	//go:embed query/hold_again.sql
	holdAgain string
	//go:embed query/drop_mail.sql
	dropMail string
)

// A window is one transaction that starts mails.
type window struct {
	Window
	tx         *sqlx.Tx
	token      string               // of the claim
	allowances map[string]allowance // by address
}

func (w *window) run(ctx context.Context) (Start, error) {
	due, err := w.lockDue(ctx)
	if err != nil || len(due) == 0 {
		return Start{}, err
	}
	known, err := w.read(ctx, due)
	if err != nil {
		return Start{}, err
	}
	var f fates
	for _, o := range due {
		if m := known[o.ID]; m != nil {
			f.add(m, w.Keys, w.Help)
		} else {
			f.hold(&Mail{obligation: o}, heldFor)
		}
	}
	if err := w.allow(ctx, &f); err != nil {
		return Start{}, err
	}
	if err := w.admit(ctx, &f); err != nil {
		return Start{}, err
	}
	if err := w.settle(ctx, &f); err != nil {
		return Start{}, err
	}
	return Start{Found: len(due), Mails: f.start, Unwritten: f.unwritten, over: f.over}, w.start(ctx, f.start)
}

// lockDue locks mails that are due after the front. If there are none, it looks at all
// that are due.
func (w *window) lockDue(ctx context.Context) (due []obligation, err error) {
	at, id := w.Front.place()
	err = w.tx.SelectContext(ctx, &due, lockDue, w.Lane, w.Limit, w.Probe, w.Another, at, id)
	if err == nil && len(due) == 0 && w.Front.Reset() {
		err = w.tx.SelectContext(ctx, &due, lockDue, w.Lane, w.Limit, w.Probe, w.Another, time.Time{}, 0)
	}
	if len(due) > 0 {
		w.Front.pass(due[len(due)-1])
	}
	return due, err
}

// read locks the codes and reads what the mails tell. It leaves out codes that somebody
// holds.
func (w *window) read(ctx context.Context, due []obligation) (map[int64]*Mail, error) {
	var codes, requests, generations, spaces, others pq.Int64Array
	for _, o := range due {
		if !o.startsCode() {
			others = append(others, o.ID)
			continue
		}
		codes, requests = append(codes, o.ID), append(requests, o.RequestID)
		generations, spaces = append(generations, int64(o.Generation)), append(spaces, o.SpaceID)
	}
	var mails, rest []*Mail
	if len(codes) > 0 {
		if err := w.tx.SelectContext(ctx, &mails, readCodes, codes, requests, generations, spaces); err != nil {
			return nil, err
		}
	}
	if len(others) > 0 {
		if err := w.tx.SelectContext(ctx, &rest, readOthers, others); err != nil {
			return nil, err
		}
	}
	known := make(map[int64]*Mail, len(due))
	for _, m := range append(mails, rest...) {
		known[m.ID] = m
	}
	for _, o := range due {
		if m := known[o.ID]; m != nil {
			m.obligation = o
			m.free()
		}
	}
	return known, w.readInvited(ctx, known)
}

// free takes a mail out of the hands of its campaign if a subscriber has chosen its address
// while it was under way (D8, D12).
func (m *Mail) free() {
	if m.IsChosen && m.startsCode() {
		m.CampaignID, m.Campaign = 0, CampaignRunning
	}
}

// fates say what becomes of the mails that were found.
type fates struct {
	start       []*Mail
	over        []int64 // requests
	void, doubt pq.Int64Array
	delayed     []delay
	unwritten   error
}

// add decides about a mail whose code nobody else holds. The first case that is true
// counts.
func (f *fates) add(m *Mail, keys *conversion.Keyring, help Assistance) {
	first, at := m.startsCode(), m.answered(help)
	switch {
	case m.Campaign == CampaignClosed && first && m.Good && !m.Started: // nobody was invited, so the request ends
		f.over = append(f.over, m.RequestID)
		f.hold(m, heldFor)
	case m.Campaign == CampaignCancelled || m.Campaign == CampaignClosed: // nothing more leaves for it
		f.void = append(f.void, m.ID)
	case m.Campaign == campaignShut && first && !m.Started: // who has questions would find nobody
		f.hold(m, shutFor)
	case m.Campaign == CampaignPrepared || m.Campaign == CampaignPaused: // the campaign holds it again
		f.delayed = append(f.delayed, delay{mail: m, until: never, campaign: m.CampaignID})
	case !m.Good || (m.Kind == MailReset || m.Kind == MailIdentifier) && !m.Started && !m.Recent: // its code counts no more, or was wanted a day ago
		f.void = append(f.void, m.ID)
	case m.LeftUntil != "" && first && !m.Started: // no invitation for now (D17)
		f.delayed = append(f.delayed, delay{mail: m, until: m.LeftUntil, exclusion: m.LeftBy})
	case m.LeftUntil != "" || m.Interruptions >= 3 && !first: // no repetition, and no fourth copy
		f.void = append(f.void, m.ID)
	case m.Interruptions >= 3: // the code counts as mailed (I5)
		f.doubt = append(f.doubt, m.ID)
	case m.Kind == MailReminder && !at.Before(m.ExpiresAt): // assistance does not answer before
		f.void = append(f.void, m.ID)
	case m.Kind == MailReminder && at.After(m.Now): // it waits for assistance
		f.delayed = append(f.delayed, delay{mail: m, until: at.Format(time.RFC3339Nano)})
	default:
		if err := m.address(keys); err != nil {
			f.unwritten = fmt.Errorf("%s mail of request %d: %w", m.Kind, m.RequestID, err)
			f.hold(m, unwrittenFor)
			return
		}
		f.start = append(f.start, m)
	}
}

// hold lets a mail wait a little.
func (f *fates) hold(m *Mail, wait time.Duration) {
	f.delayed = append(f.delayed, delay{mail: m, wait: wait, until: past})
}

// answered is the instant from which assistance answers the reader of a reminder. It is
// the deadline if assistance does not answer before (D16).
func (m *Mail) answered(help Assistance) time.Time {
	if m.Kind != MailReminder || help == nil {
		return m.Now
	}
	at, ok := help.NextOpen(m.Now)
	if !ok {
		return m.ExpiresAt
	}
	return at
}

// address computes the code. That fails if its key is missing, but the start of the
// program refuses this. It also fails if only a newer release knows the kind of the mail.
func (m *Mail) address(keys *conversion.Keyring) (err error) {
	if m.To, err = conversion.ParseEmail(m.Recipient); err != nil {
		return err
	}
	switch m.Kind {
	case MailCode, MailReminder, MailReset, MailIdentifier:
		m.Code, err = keys.Code(madeFor(string(m.Kind)), m.KeyID, conversion.Nonce(m.Nonce), m.Generation, m.To)
	case MailMoved, MailNotice, MailSwitched, MailConfirmation, MailExpired, MailPassword, MailSiege:
		return nil
	default: // a newer release made it, and works beside this one
		return errors.New("of an unknown kind")
	}
	if err != nil || m.Tag != nil || !m.startsCode() {
		return err
	}
	tag, err := keys.Tag(m.KeyID, m.To, m.Code)
	value := tagValue(tag)
	m.Tag = &value
	return err
}

// settle records the fates of mails that do not start.
func (w *window) settle(ctx context.Context, f *fates) error {
	waiting, err := w.waiting(ctx, f.delayed)
	if err != nil {
		return err
	}
	var off, back delays
	for _, d := range waiting {
		if d.goesBack() {
			back.add(d)
		} else {
			off.add(d)
		}
	}
	for _, rest := range []struct {
		query string
		ids   pq.Int64Array
		args  []any
	}{
		{dropMail, f.void, nil},
		{giveInToDoubt, f.doubt, nil},
		{putOffMail, off.ids, []any{off.wait, off.until}},
		{holdAgain, back.ids, []any{back.until}},
	} {
		if len(rest.ids) == 0 {
			continue
		}
		if err := run(ctx, w.tx, do(rest.query, append([]any{rest.ids}, rest.args...)...)); err != nil {
			return err
		}
	}
	return nil
}

// start puts the start of mails on record, and fills their instants in.
func (w *window) start(ctx context.Context, mails []*Mail) error {
	if len(mails) == 0 {
		return nil
	}
	var codes, tags, campaigns, free pq.Int64Array
	var places, codePlaces pq.StringArray
	var first pq.BoolArray
	byID := make(map[int64]*Mail, len(mails))
	for _, m := range mails {
		m.Token, byID[m.ID], places = w.token, m, append(places, m.Place)
		if m.startsCode() {
			codes, codePlaces = append(codes, m.ID), append(codePlaces, m.CodePlace)
			tags, first = append(tags, *m.Tag), append(first, !m.Started)
			campaigns = append(campaigns, m.CampaignID)
		}
		if m.CampaignID == 0 {
			free = append(free, m.ID)
		}
	}
	var started []struct {
		ID   int64     `db:"id"`
		Date time.Time `db:"message_date"`
	}
	if err := w.tx.SelectContext(ctx, &started, startMail, places, w.token, Lease.Seconds(), free); err != nil {
		return err
	}
	if err := w.readMessages(ctx, mails); err != nil {
		return err
	}
	for _, s := range started {
		byID[s.ID].Date = s.Date
	}
	if len(codes) == 0 {
		return nil
	}
	var good []struct {
		ID        int64     `db:"id"`
		ExpiresAt time.Time `db:"expires_at"`
	}
	err := w.tx.SelectContext(ctx, &good, startCodes, codes, codePlaces, tags, first, w.Lifetime.Seconds(), conversion.ResetLifetime.Seconds(), campaigns)
	for _, c := range good {
		byID[c.ID].ExpiresAt = c.ExpiresAt
	}
	return err
}

// readMessages gives invitations, their repetitions and reminders the message that their
// campaign has now.
func (w *window) readMessages(ctx context.Context, mails []*Mail) error {
	var ids pq.Int64Array
	for _, m := range mails {
		if id := m.messageOf(); id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		ID      int64              `db:"id"`
		Message conversion.Message `db:"message"`
	}
	if err := w.tx.SelectContext(ctx, &rows, readMessages, ids); err != nil {
		return err
	}
	for _, r := range rows {
		for _, m := range mails {
			if m.messageOf() == r.ID {
				m.Message = r.Message
			}
		}
	}
	return nil
}

// messageOf is the campaign whose message stands in the mail, 0 for none. What a
// subscriber asked for has none.
func (m *Mail) messageOf() int64 {
	if m.Kind != MailCode && m.Kind != MailReminder || m.IsChosen {
		return 0
	}
	return cmp.Or(m.CampaignID, m.OfCampaign)
}
