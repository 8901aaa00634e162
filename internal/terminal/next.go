package terminal

import (
	"fmt"

	"bascule/internal/conversion"
	"bascule/sql"
)

// NextStep is the next step that the administrator can take. It names a command only if
// the command would do it now: sql.Next asks the same conditions.
func NextStep(s sql.Story) string {
	if s.Space.Access == conversion.AccessPassword {
		return "nothing; the switch is irrevocable, and the space is entered by address and password."
	}
	if len(s.Requests) == 0 {
		return "import a spreadsheet that holds this space."
	}
	r, retried := s.Requests[len(s.Requests)-1], string(s.Space.Number)
	if s.Next.Over {
		retried += " --into NAME"
	}
	waits := r.State == conversion.StateRequested
	switch {
	case len(s.Exclusions) > 0 && r.State != conversion.StateMailed && !(waits && s.Next.Chose):
		x := s.Exclusions[len(s.Exclusions)-1]
		return fmt.Sprintf("nothing: the space is left alone (%s); `bascule exclude %s --lift --reason R` ends that.", x.Reason, ShellWord(x.Key))
	case waits && s.Next.Campaign != "":
		return nextHeld(s.Next)
	case waits:
		return "wait: the mail goes out as soon as the workers and the relay allow; see `bascule status`."
	case r.State == conversion.StateMailed:
		return nextMailed(s, r)
	case s.Next.Retry == "":
		return fmt.Sprintf("`bascule retry %s` invites the space again%s.", retried, byItself(s.Next))
	case s.Next.RetryAnyway == "":
		return fmt.Sprintf("the address was refused or the mail came back: %s; if the address is right all the same, `bascule retry %s --same-address`.", corrects(s), retried)
	}
	return "nothing: " + RetryWords[s.Next.Retry] + "."
}

// byItself tells when the campaign invites again without a command.
func byItself(n sql.Next) string {
	if n.Over || n.InvitesAt.IsZero() {
		return ""
	}
	return "; its campaign does so by itself on " + ParisTime(n.InvitesAt)
}

// nextHeld is the next step while a campaign holds the invitation.
func nextHeld(n sql.Next) string {
	if n.CampaignState == sql.CampaignRunning {
		return fmt.Sprintf("wait: the invitation leaves in its turn; `bascule campaign plan %s` tells when.", ShellWord(n.Campaign))
	}
	return AfterInviting(n.Campaign, n.CampaignState)
}

// corrects tells how to give a subscriber another address.
func corrects(s sql.Story) string {
	return fmt.Sprintf("`bascule correct %s --email ADDRESS --reason R` gives another address, and invites there", s.Space.Number)
}

// nextMailed is the next step while a code is good.
func nextMailed(s sql.Story, r conversion.ReportRequest) string {
	until := ParisTime(r.ExpiresAt)
	switch {
	case s.Next.LeftAlone:
		return fmt.Sprintf("the code is good until %s; no mail follows: the space is left alone.", until)
	case r.Bounce == conversion.BounceLate:
		return fmt.Sprintf("the mail is delayed on its way: wait; `bascule retry` invites the space again once the code has expired, %s.", until)
	case r.Bounce == conversion.BouncePolicy && s.Next.Resend == nil:
		return fmt.Sprintf("the mailbox is full or refused the mail: once that is mended, `bascule resend %s` sends the same code again, until %s.",
			s.Space.Number, until)
	case !r.BouncedAt.IsZero() && s.Next.ChoseOther:
		return fmt.Sprintf("the mail came back from the address that the subscriber chose: `bascule cancel %[1]s`, then `bascule retry %[1]s` invites"+
			" at the contact address.", s.Space.Number)
	case !r.BouncedAt.IsZero() && s.Next.Chose:
		return fmt.Sprintf("the mail came back: `bascule cancel %s`, then %s.", s.Space.Number, corrects(s))
	case !r.BouncedAt.IsZero():
		return fmt.Sprintf("the mail came back: %s.", corrects(s))
	case s.Next.Resend != nil:
		return fmt.Sprintf("the subscriber activates before %s; the code was sent again as often as is allowed.", until)
	}
	return fmt.Sprintf("the subscriber activates before %s; `bascule resend %s` sends the same code again.", until, s.Space.Number)
}
