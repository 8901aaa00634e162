package jobs

import (
	"log/slog"
	"time"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/queue"
	"bascule/sql"
)

// InteractiveSlots are the slots for mails that somebody waits for.
const InteractiveSlots = 4

// Config is what a worker is made of beside its services.
type Config struct {
	Keys       *conversion.Keyring
	SMTP       smtp.Config
	Office     mail.Office
	ReturnPath conversion.Email
	SignBounce bool // the mailbox of ReturnPath accepts addresses with +
	Domain     string
	Rate       float64 // mails a second; 0: no limit
	Workers    int
	Lifetime   time.Duration
	HelpHours  assistance.Hours
	Alert      conversion.Email
	Version    string
	Log        *slog.Logger
}

// NewWorker makes a worker. The caller closes the client once it has ended.
func NewWorker(cfg Config, db *sql.DB, q *queue.Client) (*Worker, *smtp.Client, error) {
	composer, err := mail.NewComposer(cfg.Office)
	if err != nil {
		return nil, nil, err
	}
	relay := smtp.NewClient(cfg.SMTP, cfg.Workers+InteractiveSlots)
	mailer := &Mailer{
		DB: db, Keys: cfg.Keys, Relay: relay, Composer: composer, Domain: cfg.Domain,
		ReturnPath: cfg.ReturnPath, SignBounce: cfg.SignBounce, Lifetime: cfg.Lifetime, Help: cfg.HelpHours, Now: time.Now, Log: cfg.Log,
	}
	if cfg.Rate > 0 {
		mailer.Limiter = queue.NewLimiter(q, cfg.Rate)
	}
	slots := queue.Slots{Interactive: InteractiveSlots, Batch: cfg.Workers}
	return &Worker{DB: db, Queue: q, Mailer: mailer, Slots: slots, Log: cfg.Log, Alert: cfg.Alert, Version: cfg.Version}, relay, nil
}
