package conversion

import "time"

// A PendingGroup counts invitations that have not started and are equal in their
// campaign's order (D13).
type PendingGroup struct {
	Released  bool      `db:"released"`   // they wait for a worker, no longer for their campaign: they leave before all others
	Priority  int       `db:"priority"`   // 1 to 9
	Expires   time.Time `db:"expires"`    // midnight UTC of the last day of their certificates
	Address   int       `db:"address"`    // a number for an address that is to have more mails than it may have on a day (D16); 0: other addresses
	NotBefore time.Time `db:"not_before"` // the day in Paris, as midnight UTC, before which they wait (D16, D17); the epoch if they do not
	Mails     int       `db:"mails"`
	Alone     int       `db:"alone"` // invitations to subscribers who are left alone without end (D17): they stay
}
