// Package readiness judges whether a campaign may start. Each requirement is a line,
// green, yellow or red; a line that is not green names the remedy. It judges the values
// that it is given. It asks the relay, the pages and DNS for the rest.
package readiness

import (
	"cmp"
	"fmt"
	"time"

	"bascule/sql"
)

// A State says how bad a line is.
type State string

// The states. A campaign starts although a line is yellow.
const (
	Green  State = "green"
	Yellow State = "yellow"
	Red    State = "red"
)

// A Line is one requirement.
type Line struct {
	Name   string `json:"name"` // one word
	State  State  `json:"state"`
	What   string `json:"what"`   // was found
	Remedy string `json:"remedy"` // one sentence; "" if it is green
}

// Good is a green line.
func Good(name, what string) Line { return Line{name, Green, what, ""} }

// Doubtful is a yellow line.
func Doubtful(name, what, remedy string) Line { return Line{name, Yellow, what, remedy} }

// Bad is a red line.
func Bad(name, what, remedy string) Line { return Line{name, Red, what, remedy} }

// Reds are the names of the red lines.
func Reds(lines []Line) (names []string) {
	for _, l := range lines {
		if l.State == Red {
			names = append(names, l.Name)
		}
	}
	return names
}

// Workers judges whether a worker mails, with the same texts and the same program as
// here. Those who said that they stopped are not among them. The latest sign of life is
// first.
func Workers(all []sql.Worker, version, texts string) Line {
	const name = "workers"
	alive, otherTexts, otherProgram, trouble := 0, 0, 0, ""
	for _, w := range all {
		if w.Silent > sql.WorkerSilence { // it has died
			break
		}
		alive++
		trouble = cmp.Or(trouble, w.Trouble)
		if w.Texts != texts {
			otherTexts++
		}
		if w.Version != version {
			otherProgram++
		}
	}
	said := fmt.Sprintf("%d alive", alive)
	switch {
	case len(all) == 0:
		return Bad(name, "none is alive", "start `bascule work`")
	case alive == 0:
		return Bad(name, fmt.Sprintf("none is alive, the last one was heard of %s ago", all[0].Silent.Round(time.Second)), "start `bascule work`")
	case trouble != "":
		return Bad(name, said+", and Redis is of no use to one of them", trouble)
	case otherTexts > 0:
		return Bad(name, fmt.Sprintf("%s, of which %d would mail other texts than those of this command", said, otherTexts),
			"give all the same ADMINISTRATION, MAIL_FROM, PUBLIC_URL, HELP_TEXT_FILE and program, and start them again")
	case otherProgram > 0:
		return Doubtful(name, fmt.Sprintf("%s, of which %d run another program than this command", said, otherProgram), "install the same one everywhere")
	}
	return Good(name, said)
}

// Trial judges whether somebody got a trial of the present texts. Both are digests;
// tried is "" if there never was a trial.
func Trial(tried, texts, remedy string) Line {
	switch tried {
	case "":
		return Bad("trial", "nobody was sent a trial of the mails", remedy)
	case texts:
		return Good("trial", "one was sent since the texts last changed")
	}
	return Bad("trial", "the texts have changed since the last one was sent", remedy)
}

// The limits of differences between clocks.
const (
	clockDoubtful = 5 * time.Second
	clockBad      = 2 * time.Minute
)

// Clock judges how much clocks differ from the database's; the keys name them.
func Clock(differences map[string]time.Duration) Line {
	const name, remedy = "clock", "synchronise it, by NTP"
	worst, whose := time.Duration(0), ""
	for who, d := range differences {
		if d.Abs() >= worst.Abs() && (d.Abs() > worst.Abs() || who < whose || whose == "") {
			worst, whose = d, who
		}
	}
	what := fmt.Sprintf("%s and the database's differ by %s", whose, worst.Abs().Round(time.Second))
	switch {
	case worst.Abs() > clockBad:
		return Bad(name, what, remedy)
	case worst.Abs() > clockDoubtful:
		return Doubtful(name, what, remedy)
	}
	return Good(name, what)
}

// The limits of room on a disk. An import spools its file, a tenth of a gigabyte for a
// million rows.
const (
	roomBad      = 100 << 20
	roomDoubtful = 1 << 30
)

// Room judges the free bytes of the disk of a folder. It does not see PostgreSQL's own
// disk.
func Room(folder string, free uint64) Line {
	const name, remedy = "disk", "make room, or give TMPDIR another folder"
	what := fmt.Sprintf("%d MiB are free in %s; the disk of PostgreSQL is not seen from here", free>>20, folder)
	switch {
	case free < roomBad:
		return Bad(name, what, remedy)
	case free < roomDoubtful:
		return Doubtful(name, what, remedy)
	}
	return Good(name, what)
}

// A Forecast is how many invitations leave by a plan.
type Forecast struct {
	Mails   int
	Late    int // mails that leave after the certificate has expired
	Already int // mails whose certificate has expired today
	Stay    int // invitations that never leave, by the brakes
}

// Plan judges whether the invitations leave before the certificates die. A certificate
// that is dead already is no fault of the plan.
func Plan(f Forecast) Line {
	const name = "plan"
	late, alive := f.Late-f.Already, f.Mails-f.Already
	what := fmt.Sprintf("%d of %d leave after the certificate has expired", late, alive)
	switch {
	case f.Mails+f.Stay == 0:
		return Doubtful(name, "the campaign holds no invitation", "import a spreadsheet into it")
	case f.Stay > 0 && f.Mails == 0:
		return Bad(name, "no invitation could ever leave", "lower --min-help, or extend HELP_HOURS")
	case 2*late > alive:
		return Bad(name, what, "raise --per-day or MAIL_RATE, or lower --min-help or --after")
	case late > 0:
		return Doubtful(name, what, "raise --per-day or MAIL_RATE, or lower --min-help or --after")
	case f.Stay > 0:
		return Doubtful(name, fmt.Sprintf("%d would never leave", f.Stay), "lower --min-help, or extend HELP_HOURS")
	case f.Already > 0:
		return Good(name, fmt.Sprintf("%d leave before the certificate expires; of %d it has expired already", alive, f.Already))
	}
	return Good(name, "all leave before the certificate expires")
}
