package conversion

import "cmp"

// Bounce is the class of a report that came back to a mail (D11). The empty
// Bounce is no failure.
type Bounce string

// The classes, from the lightest to the gravest. A graver one replaces a lighter one.
const (
	// BounceLate: the mail sat in a queue, or was given up there. It may still
	// arrive, perhaps with a code that is dead.
	BounceLate Bounce = "late"
	// BouncePolicy: the mailbox is full, or the other side did not want this mail.
	BouncePolicy Bounce = "full or policy"
	// BounceGone: the mailbox does not exist, or does not exist any more. Only another
	// address helps.
	BounceGone Bounce = "gone"
	// BounceComplaint: the recipient reported the mail as abuse (D17).
	BounceComplaint Bounce = "complaint"
)

// Bounces lists the classes, the lightest first.
func Bounces() []Bounce { return []Bounce{BounceLate, BouncePolicy, BounceGone, BounceComplaint} }

var frenchBounces = map[Bounce]string{
	BounceLate: "retardé", BouncePolicy: "boîte pleine ou courriel refusé",
	BounceGone: "adresse inexistante ou fermée", BounceComplaint: "plainte du destinataire",
}

// French is the class as an administrator's workbook shows it.
func (b Bounce) French() string { return cmp.Or(frenchBounces[b], string(b)) }
