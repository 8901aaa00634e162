// Package recap writes the recap of a switched space, the « formulaire
// récapitulatif » that its subscriber keeps (R28–R30): facts in, PDF out.
package recap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bascule/internal/conversion"
)

// Version is the version of [Facts] that this package writes and reads.
const Version = 1

// ErrVersion says that another version of this program froze the facts: a newer one
// will know them.
var ErrVersion = errors.New("recap: unknown version of facts")

// Facts is all that a recap tells, frozen when the space is switched and stored as
// JSON. The same facts give the same bytes, however often and wherever they are
// written, even after the space or the configuration changed.
//
// There is no field for the password, the answer or the code, so none of them can get
// into the document.
type Facts struct {
	Version        int                         `json:"version"` // see [Version]
	Number         conversion.SubscriberNumber `json:"number"`
	Holder         string                      `json:"holder"`
	Email          conversion.Email            `json:"email"`    // the identifier
	Question       string                      `json:"question"` // its text, as the subscriber read it
	Companies      []conversion.Company        `json:"companies"`
	SwitchedAt     time.Time                   `json:"switched_at"`    // UTC
	PublicURL      string                      `json:"public_url"`     // the address of the pages
	Help           string                      `json:"help"`           // the operator's assistance, one or more lines (R32)
	Administration string                      `json:"administration"` // the author of the document; printed if it is set
}

// Write writes the recap as one A4 document. It accepts any text: it visibly replaces
// characters that the fonts cannot show, and the document says so. Nothing reaches w
// unless the document is complete (I7). It returns ErrVersion, or the error of w.
func Write(w io.Writer, f Facts) error {
	if f.Version != Version {
		return fmt.Errorf("%w: %d", ErrVersion, f.Version)
	}
	s := newSheet(f)
	s.title()
	s.identity()
	s.change()
	s.entry()
	s.assistance()
	s.companies()
	s.footers()

	var b bytes.Buffer
	b.Grow(16 << 10) // most documents have one page
	if err := s.pdf.Output(&b); err != nil {
		return fmt.Errorf("recap: %w", err)
	}
	if err := amendCatalog(&b); err != nil {
		return fmt.Errorf("recap: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Read reads frozen facts.
func Read(frozen []byte) (f Facts, err error) {
	err = json.Unmarshal(frozen, &f)
	return f, err
}

// Render is Write of frozen facts.
func Render(frozen []byte) ([]byte, error) {
	f, err := Read(frozen)
	if err != nil {
		return nil, fmt.Errorf("read the facts: %w", err)
	}
	var pdf bytes.Buffer
	if err := Write(&pdf, f); err != nil {
		return nil, err
	}
	return pdf.Bytes(), nil
}

func (s *sheet) title() {
	if name := s.facts.Administration; name != "" {
		s.paragraph(left, bodyWidth, strong(11), name)
		s.y += 1
	}
	s.right(faint(9), "Établi le "+conversion.FrenchDate(s.facts.SwitchedAt))
	s.line(left, accented(9), "ACCÈS SANS CERTIFICAT À VOTRE ESPACE ABONNÉ")
	s.y += 1
	s.line(left, strong(21), "Formulaire récapitulatif")
	s.y += 3
	s.callout("Conservez ce document : enregistrez-le ou imprimez-le.",
		"Il est indispensable pour certaines opérations (oubli de votre mot de passe par exemple).")
}

// identity writes the facts by which the subscriber is recognised (R30).
func (s *sheet) identity() {
	s.section("Votre espace", 40)
	s.pair("Numéro d’abonné", string(s.facts.Number), strong(10))
	s.pair("Titulaire", s.facts.Holder, strong(10))
	s.pair("Adresse électronique", s.email, strong(10))
	s.pair("Mot de passe", "Celui que vous avez choisi. Personne ne peut vous le communiquer.", regular(10))
	s.pair("Question de confiance", s.facts.Question, strong(10))
	s.pair("Réponse de confiance", "Connue de vous seul : elle ne figure pas sur ce document.", regular(10))
	s.pair("Accès sans certificat depuis le", conversion.FrenchTime(s.facts.SwitchedAt)+" (heure de Paris)", strong(10))
	if s.altered {
		s.y += 1.5
		s.paragraph(left, bodyWidth, faint(8.5), "Certains caractères ne peuvent pas être imprimés dans ce document : ils y sont "+
			"simplifiés ou remplacés par le signe "+replacement+". Votre espace les conserve.")
	}
}

// change writes what the switch changed and what it did not (R3–R6).
func (s *sheet) change() {
	s.section("Ce qui change, ce qui ne change pas", 30)
	s.item("Votre adresse électronique et votre mot de passe ouvrent maintenant votre espace. " +
		"Votre certificat ne l’ouvre plus.")
	s.item("Ce changement est irrévocable.")
	s.item("Vous conservez le même numéro d’abonné, le même titulaire, les mêmes entreprises et les mêmes services.")
	s.item("Une adresse ne sert que pour un seul espace sans certificat.")
}

func (s *sheet) entry() {
	s.section("Entrer dans votre espace", 30)
	if s.facts.PublicURL != "" {
		s.linked("Le site : ", s.facts.PublicURL)
	}
	s.item("« Accéder à mon espace » : saisissez votre adresse électronique, qui est votre identifiant, " +
		"et votre mot de passe.")
	s.item("Mot de passe oublié\u00a0: indiquez votre identifiant et votre réponse de confiance. " +
		"Un courriel vous permet ensuite de choisir un nouveau mot de passe.")
	s.item("Pour retrouver ce document : « Gérer mes services » > « Gérer vos coordonnées ».")
}

// assistance writes the operator's own text, line by line (R32).
func (s *sheet) assistance() {
	if len(s.help) == 0 {
		return
	}
	s.section("Assistance", 20)
	for _, line := range s.help {
		s.paragraph(left, bodyWidth, regular(10), line)
	}
}

// companies writes the companies of the space on the day of the switch (R5). It comes
// last, as only this part can be long. A table that fits on one page is not split.
func (s *sheet) companies() {
	title := companiesTitle(len(s.facts.Companies))
	if len(s.facts.Companies) == 0 {
		s.section(title, 25)
		s.paragraph(left, bodyWidth, regular(10), "À la date du changement d’accès, cet espace n’avait aucune entreprise.")
		return
	}
	columns := []column{{"SIREN", left, 24}, {"Raison sociale", left + 24, 62}, {"Services", left + 86, bodyWidth - 86}}
	height := s.tableHeight(columns, s.companyRows)
	if height > bottom-top-sectionHeight {
		height = 25
	}
	s.section(title, sectionHeight+height)
	s.table(columns, s.companyRows)
}

func (s *sheet) companyRows(yield func(row) bool) {
	for _, c := range s.facts.Companies {
		if !yield(row{{c.SIREN.Grouped()}, strings.Split(c.Name, " "), enumerated(c.Services)}) {
			return
		}
	}
}

func companiesTitle(n int) string {
	switch n {
	case 0:
		return "Entreprises et services"
	case 1:
		return "Entreprise et services (1 entreprise)"
	}
	return fmt.Sprintf("Entreprises et services (%d entreprises)", n)
}

// enumerated gives each service its comma, so that a line never starts with one.
func enumerated(services []string) []string {
	if len(services) == 0 {
		return []string{"–"}
	}
	units := make([]string, len(services))
	for i, s := range services {
		units[i] = s
		if i < len(services)-1 {
			units[i] += ","
		}
	}
	return units
}
