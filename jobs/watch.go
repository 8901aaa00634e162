package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/sql"
)

// Watcher stops a campaign that does harm (D15), and mails the operator why. Any
// number may run side by side.
type Watcher struct {
	Mailer *Mailer          // whose relay takes the alerts
	Alert  conversion.Email // where alerts go; zero: nowhere but into the log
	Every  time.Duration    // between two looks
}

// watchEvery is how often campaigns are looked at (D15).
const watchEvery = time.Minute

// A limit is a line of the table by which campaigns are stopped (D15): the share of
// events among so many mails or entries within some hours. Both minimums must be
// reached.
type limit struct {
	what, quoi string // English and French
	hours      int
	most       float64
	of         int // mails or entries at the least
	events     int // at the least
	count      func(sql.CampaignSignals) (events, of int)
}

func complaintsOf(s sql.CampaignSignals) (int, int) { return s.Complaints, s.Mails }
func deadOf(s sql.CampaignSignals) (int, int)       { return s.Dead, s.Mails }
func failuresOf(s sql.CampaignSignals) (int, int)   { return s.Failures, s.Entries }

var limits = []limit{
	{"complaints", "plaintes", 1, 0.01, 200, 5, complaintsOf},
	{"complaints", "plaintes", 24, 0.003, 1000, 10, complaintsOf},
	{"dead addresses", "adresses mortes", 1, 0.10, 100, 20, deadOf},
	{"dead addresses", "adresses mortes", 24, 0.05, 1000, 100, deadOf},
	{"activations that an error of ours failed", "activations en échec de notre fait", 1, 0.05, 100, 20, failuresOf},
}

// harm is the reason to stop a campaign, in English and in French; "" if there is none.
func harm(s sql.CampaignSignals) (why, motif string) {
	for _, l := range limits {
		events, of := l.count(s)
		if l.hours != s.Hours || of < l.of || events < l.events || float64(events) < l.most*float64(of) {
			continue
		}
		share, most := percent(float64(events)/float64(of)), percent(l.most)
		return fmt.Sprintf("stopped: %d %s of %d within %d h (%s %%, at most %s %%)", events, l.what, of, l.hours, share, most),
			fmt.Sprintf("%d %s sur %d en %d\u00a0h (%s\u00a0%%, pour une limite de %s\u00a0%%)", events, l.quoi, of, l.hours,
				strings.Replace(share, ".", ",", 1), strings.Replace(most, ".", ",", 1))
	}
	return "", ""
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) }

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	repeat(ctx, w.Every, w.Mailer.Log, "cannot watch the campaigns, or tell of them; it is tried again", w.Look)
}

// Look looks once: it stops campaigns that do harm, then tells the operator.
func (w *Watcher) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	list, err := w.Mailer.DB.Signals(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if why, motif := harm(s); why != "" {
			if err := w.stop(ctx, s, why, motif); err != nil {
				return err
			}
		}
	}
	return w.tell(ctx)
}

func (w *Watcher) stop(ctx context.Context, s sql.CampaignSignals, why, motif string) error {
	stopped, err := w.Mailer.DB.StopCampaign(ctx, s, why, sql.Alert{
		Subject: fmt.Sprintf("Campagne «\u00a0%s\u00a0» arrêtée", s.Name),
		Text: fmt.Sprintf("La campagne «\u00a0%s\u00a0» est en pause\u00a0: %s.\n", s.Name, motif) +
			"Plus aucune invitation ne part. Les codes déjà envoyés restent valables.\n" +
			"Voyez «\u00a0bascule campaign show\u00a0», réparez la cause, puis «\u00a0bascule campaign resume\u00a0».",
	})
	if stopped {
		w.Mailer.Log.Error("a campaign was stopped", "campaign", s.ID, "why", why)
		w.Mailer.Metrics.stop()
	}
	return err
}

// tell mails the alerts to the operator, one after the other. An alert that does not go
// out is tried again at the next look.
func (w *Watcher) tell(ctx context.Context) error {
	if w.Alert.IsZero() {
		return nil
	}
	for {
		found, err := w.Mailer.DB.SendAlert(ctx, func(a sql.Alert) error { return w.send(ctx, a) })
		if err != nil || !found {
			return err
		}
	}
}

func (w *Watcher) send(ctx context.Context, a sql.Alert) error {
	m := w.Mailer
	made := int(a.MadeAt.UnixMicro()) // tells it from an alert of the same id in another database
	body := m.Composer.Alert(mail.Alert{
		Head:    mail.Head{ID: mail.MessageID("alert", a.ID, 0, made, m.Domain), Date: a.MadeAt, To: w.Alert},
		Subject: a.Subject, Text: a.Text,
	})
	var outcome smtp.Outcome
	alert := smtp.Message{Envelope: smtp.Envelope{From: m.ReturnPath, To: w.Alert}, Body: body}
	m.Relay.Send(ctx, 1, func(int) (smtp.Message, error) { return alert, nil }, nil, func(_ int, o smtp.Outcome) { outcome = o })
	if outcome.Kind != smtp.Accepted {
		return fmt.Errorf("mail to ALERT_EMAIL: %s", outcome)
	}
	return nil
}
