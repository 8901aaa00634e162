// Package web serves the pages that subscribers see. A handler parses the form, calls
// one method of [sql.DB] and renders a page. Between two requests only forms and the
// database keep values.
//
// # Theme
//
// The look is deliberately neutral. An operator who is entitled to another look puts
// files into a folder (THEME_DIR). Each replaces the built-in file of the same name
// under static/ (style.css, icon.svg, page.js), or is served beside them. So style.css
// can name fonts and images by a relative URL. A logo.svg or logo.png in the header takes
// the place of the site's mark. The folder is read once, at the start. Names that begin
// with a dot, and endings that pages have no use for, are left out.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"time"

	"bascule/internal/admission"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/sql"
)

// Config has the settings of the pages. DB, Keys, PublicURL and Log are required.
type Config struct {
	DB   *sql.DB
	Keys *conversion.Keyring
	// PublicURL is the address of the pages: http or https and a host, nothing else. With
	// https, cookies are Secure and HSTS is sent.
	PublicURL *url.URL
	Profile   conversion.PasswordProfile // "" is conversion.ProfileFiche (D6)
	// Administration is the author of the pages; zero for nobody.
	Administration conversion.Administration
	// Help is the text on the assistance, plain, on one or more lines (R32).
	Help  string
	Legal Legal // the zero value has a draft of every page
	// TrustedProxies are believed about X-Forwarded-For, and nothing else.
	TrustedProxies admission.Proxies
	// CertProxies are believed about Client-Cert, on CertificateHandler alone; they
	// have a list of their own, as they decide who a client is. If there are any, only
	// the certificates that they show count.
	CertProxies admission.Proxies
	// Certificates judges client certificates (R7); nil if nobody can enter with one.
	Certificates *certificate.Store
	CertURL      *url.URL         // the address that asks browsers for a certificate; nil for none
	Now          func() time.Time // the clock for certificates; nil is time.Now
	ThemeDir     string           // "" for the built-in look
	CodeLifetime time.Duration    // as the pages tell it (R21)
	Log          *slog.Logger
}

// Server holds what all requests share. It is safe for concurrent use, and may be one
// of several in front of the same database.
type Server struct {
	cfg     Config
	origin  string // scheme and host, without a slash at the end
	certURL string // as origin; "" for none
	secure  bool   // the origin is https
	legal   []legalPage

	pages       *pages
	static      *static
	crossOrigin *http.CrossOriginProtection
	metrics     *metrics
	entries     entries

	limiter   *admission.Limiter
	clients   *admission.Room      // half of the requests for each client
	requests  *admission.Semaphore // one slot for each request that is being answered
	turns     admission.KeyedMutex[turn]
	hashes    *admission.Semaphore // each takes a core and 19 MiB for Argon2id
	documents *admission.Semaphore // recaps: each may be made anew, and a space at its bounds takes some megabytes
}

// A turn is a request, on which submissions work one after the other. Before there is a
// request, it is a space. The other number is 0.
type turn struct{ request, space int64 }

// queueLength is how many submissions may wait for a slot: each holds a form in memory.
const queueLength = 32

// Connections is how many connections to the database the pages need: one for a visitor
// on every hashing slot, and some for lookups.
func Connections() int { return 16 + 4*runtime.GOMAXPROCS(0) }

// New reads the theme and the templates. Its error names the setting that cannot be
// used.
func New(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		cfg: cfg, origin: cfg.PublicURL.String(), secure: cfg.PublicURL.Scheme == "https", legal: legalPages(cfg.Legal),
		entries:   entries{log: cfg.Log},
		limiter:   admission.NewLimiter(cfg.DB, cfg.Keys),
		clients:   admission.NewRoom(maxRequests / 2),
		requests:  admission.NewSemaphore(maxRequests, 0),
		hashes:    admission.NewSemaphore(runtime.GOMAXPROCS(0), queueLength),
		documents: admission.NewSemaphore(runtime.GOMAXPROCS(0), queueLength),
	}
	if cfg.CertURL != nil {
		s.certURL = cfg.CertURL.String()
	}
	var err error
	if s.static, err = loadStatic(cfg.ThemeDir); err != nil {
		return nil, fmt.Errorf("theme folder (THEME_DIR): %w", err)
	}
	if s.crossOrigin, err = protect(s.origin, s.certURL); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(s.hashes, s.besieged)
	s.pages = newPages(site{
		Administration: cfg.Administration, Help: cfg.Help, Lifetime: frenchDuration(cfg.CodeLifetime), Profile: cfg.Profile,
		Certificates: s.offersCertificates(), static: s.static,
	})
	return s, nil
}

// protect refuses forms of other sites.
func protect(origins ...string) (*http.CrossOriginProtection, error) {
	p := http.NewCrossOriginProtection()
	for _, origin := range slices.DeleteFunc(origins, func(s string) bool { return s == "" }) {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("public URL: %w", err)
		}
	}
	return p, nil
}

// A route is one path of the site. A nil handler makes its method a 405.
type route struct {
	path string
	get  handler // also answers HEAD; changes nothing (D5)
	post handler
}

// routes lists the pages of the site.
func (s *Server) routes() []route {
	connection := s.form("/connexion", anybody, s.connection())
	return []route{
		// Around the switch.
		{path: "/{$}", get: s.fixed("home", view{})},
		{path: "/sans-certificat", get: s.fixed("withoutcertificate", view{})},
		{path: "/adhesion", get: s.fixed("join", view{})},
		{path: "/aide", get: s.fixed("help", view{})},
		{path: "/accessibilite", get: s.fixed("accessibility", view{})},
		s.legalPage(0), s.legalPage(1),
		// The switch by a mailed code.
		{path: "/activation", get: s.showActivation, post: posted(s.activate)},
		{path: "/recapitulatif.pdf", get: s.recapPDF},
		{path: "/recapitulatif", get: s.recapPage},
		// The space (R7–R22, R29).
		{path: "/certificat", get: s.showCertificate},
		{path: "/espace", get: s.inside(s.showSpace)},
		{path: "/espace/services", get: s.inside(s.showServices)},
		{path: "/espace/coordonnees", get: s.inside(s.showContact)},
		{path: "/espace/option", get: s.withCertificate(s.showOption), post: s.fresh(s.confirmOption)},
		{path: "/espace/identifiants", get: s.fresh(s.showIdentifiers), post: posted(s.fresh(s.opt))},
		// Life in a password space.
		{path: connection.path, get: s.outside(connection.get), post: connection.post},
		{path: "/deconnexion", get: s.outside(s.showDisconnected), post: s.disconnect},
		s.form("/mot-de-passe-oublie", anybody, s.forgotten()),
		s.form("/nouveau-mot-de-passe", anybody, s.renewal()),
		s.form("/espace/identifiant", s.withPassword, s.ownIdentifier()),
		s.form("/espace/question", s.withPassword, s.ownQuestion()),
		s.form("/espace/mot-de-passe", s.withPassword, s.change()),
		// The machinery.
		{path: "/static/{version}/{file...}", get: s.static.serve},
		{path: "/healthz", get: s.healthy},
		{path: "/readyz", get: s.ready},
		{path: "/", get: s.unknown, post: s.unknown},
	}
}

// CertificateHandler serves the same site to browsers that are asked for a certificate:
// only a certificate opens a space there.
func (s *Server) CertificateHandler() http.Handler {
	site := s.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), certificateKey{}, true)))
	})
}

// Handler serves the site.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.path, s.dispatch(r))
	}
	return s.observe(s.secured(s.admit(mux)))
}

// fixed makes a page that is the same for everybody.
func (s *Server) fixed(name string, v view) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-cache")
		return s.write(w, r, http.StatusOK, name, v)
	}
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	if to := mended(r.URL); to != "" {
		return seeOther(w, r, to)
	}
	return failure{status: http.StatusNotFound}
}

// encodedHash matches a link that some mail program or gateway has rewritten.
var encodedHash = regexp.MustCompile(`^(/activation|/nouveau-mot-de-passe)(\?etape=3)?%23(.*)$`)

// mended repairs a link of a mail whose "#" was encoded; "" for any other link. Address
// and code follow the "#" again, where no server sees them (D5).
func mended(u *url.URL) string {
	m := encodedHash.FindStringSubmatch(u.RequestURI())
	if m == nil {
		return ""
	}
	return m[1] + m[2] + "#" + m[3]
}
