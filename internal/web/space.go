package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// spaceHeader is the common part of the pages of a space.
type spaceHeader struct {
	Number      conversion.SubscriberNumber
	Holder      string
	Certificate bool // a certificate opened it
}

func (e entry) page() spaceHeader {
	return spaceHeader{Number: e.space.Number, Holder: e.space.Holder, Certificate: e.ByCertificate()}
}

// spacePage is the data of space.html: the three home screens (R8–R10).
type spacePage struct {
	spaceHeader
	Services  int                  // of all companies
	Companies []conversion.Company // the present page of the companies found
	Total     int                  // of all companies
	Found     int                  // of the companies found
	Chosen    *conversion.Company
	Search    string
	Pages     int
	Page      int // from 1
	Expires   time.Time
	Past      bool // Expires is over: the sheet is wrong, as the certificate opened the space
	Pending   *sql.OpenChoice
	Unreached string // the address chosen last, which its code did not reach
}

// pending is an option whose code has not been typed yet (R20–R23); nil for none.
func (e entry) pending() *sql.OpenChoice {
	if e.open.Email.IsZero() {
		return nil
	}
	return &e.open
}

// companiesPerPage keeps a page small for accountants with hundreds of companies.
const companiesPerPage = 30

// showSpace shows the space: no service, one company with its services, or the list
// of companies and the chosen one's services (R8–R11).
func (s *Server) showSpace(w http.ResponseWriter, r *http.Request, e entry) error {
	q := r.URL.Query()
	chosen, _ := conversion.ParseSIREN(q.Get("dossier")) // any other text chooses the first
	companies, err := s.cfg.DB.CompaniesOf(r.Context(), e.id, chosen)
	if err != nil {
		return err
	}
	p := spacePage{spaceHeader: e.page(), Services: companies.Services, Total: len(companies.All), Chosen: companies.Chosen,
		Expires: e.space.Certificate.Expires, Past: s.over(e.space.Certificate.Expires), Search: text.Trim(q.Get("recherche")), Pending: e.pending(), Unreached: e.lost.String()}
	found := search(companies.All, p.Search)
	p.Found = len(found)
	p.Pages = max(1, (len(found)+companiesPerPage-1)/companiesPerPage)
	n, _ := strconv.Atoi(q.Get("page"))
	p.Page = min(max(n, 1), p.Pages)
	p.Companies = found[(p.Page-1)*companiesPerPage : min(p.Page*companiesPerPage, len(found))]
	return s.write(w, r, http.StatusOK, "space", view{Inside: e.space.Access, Data: p})
}

// Link leads to the same list on another page.
func (p spacePage) Link(page int) string {
	v := url.Values{"page": {strconv.Itoa(page)}}
	if p.Search != "" {
		v.Set("recherche", p.Search)
	}
	return "/espace?" + v.Encode()
}

// Company leads to the services of a company, and keeps the list as it is.
func (p spacePage) Company(c conversion.Company) string {
	return p.Link(p.Page) + "&dossier=" + string(c.SIREN) + "#dossier"
}

// Previous and Next are the neighbouring pages, 0 for none.
func (p spacePage) Previous() int { return p.Page - 1 }

// Next is the page after this one, 0 for none.
func (p spacePage) Next() int {
	if p.Page == p.Pages {
		return 0
	}
	return p.Page + 1
}

// search finds companies by a part of their name or SIREN.
func search(all []conversion.Company, words string) []conversion.Company {
	words = text.Fold(words)
	return slices.DeleteFunc(slices.Clone(all), func(c conversion.Company) bool {
		return !strings.Contains(text.Fold(c.Name), words) && !strings.Contains(string(c.SIREN), words)
	})
}

// servicesPage is the data of space_services.html.
type servicesPage struct {
	spaceHeader
	Companies, Services int
}

// showServices is "Gérer mes services" (R29).
func (s *Server) showServices(w http.ResponseWriter, r *http.Request, e entry) error {
	companies, err := s.cfg.DB.CompaniesOf(r.Context(), e.id, "")
	if err != nil {
		return err
	}
	p := servicesPage{spaceHeader: e.page(), Companies: len(companies.All), Services: companies.Services}
	return s.write(w, r, http.StatusOK, "space_services", view{Inside: e.space.Access, Data: p})
}

// contactPage is the data of space_contact.html.
type contactPage struct {
	spaceHeader
	Contact    string
	Serial     conversion.SerialNumber
	Expires    time.Time
	Email      string // the identifier of a password space
	Question   string
	SwitchedAt time.Time
}

// showContact is "Gérer vos coordonnées": it has the recap at any time (R29).
func (s *Server) showContact(w http.ResponseWriter, r *http.Request, e entry) error {
	p := contactPage{spaceHeader: e.page(), Contact: e.space.Contact.String(),
		Serial: e.space.Certificate.Serial, Expires: e.space.Certificate.Expires}
	if !e.ByCertificate() {
		p.Email, p.Question, p.SwitchedAt = e.session.Email, e.session.Question.Text(), e.session.SwitchedAt
	}
	return s.write(w, r, http.StatusOK, "space_contact", view{Inside: e.space.Access, Data: p})
}
