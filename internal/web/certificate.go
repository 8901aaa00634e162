package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"time"

	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/sql"
)

// An entryRefusal is the reason why a certificate opens no space.
type entryRefusal = certificate.Refusal

// These refusals add to those of package certificate.
const (
	entryUnavailable entryRefusal = "entry by certificate is not configured"
	entryUnknown     entryRefusal = "no space has this certificate"
	entryAmbiguous   entryRefusal = "several spaces have this certificate"
	entryUnmatched   entryRefusal = "the issuer in the sheet names no authority, or several"
	entrySwitched    entryRefusal = "the space is entered by address and password"
)

// byCertificate finds the space of a certificate (R7). A certificate that no authority
// of ours issued is counted. After too many the client waits, and nothing more is written
// for it (I8). Refusals of our authorities' certificates are not counted: an office may
// have many that have expired.
func (s *Server) byCertificate(r *http.Request) (entry, error) {
	e, err := s.ofCertificate(r)
	if errors.Is(err, certificate.Malformed) || errors.Is(err, certificate.Untrusted) {
		err = cmp.Or(s.countMadeUp(r), err)
	}
	return e, err
}

// ofCertificate finds the space of a certificate, and counts nothing. It verifies issuer,
// use, dates and revocation with each request, so a revocation also ends work under way.
// That costs no more than a signature for each authority of that name. So a client with a
// certificate of ours gets in, whatever neighbours behind the same address have shown.
func (s *Server) ofCertificate(r *http.Request) (entry, error) {
	if s.cfg.Certificates == nil {
		return entry{}, entryUnavailable
	}
	shown, err := s.shown(r)
	if err != nil {
		return entry{}, err
	}
	holder, err := s.cfg.Certificates.Verify(shown, s.cfg.Now())
	if err != nil {
		return entry{}, err
	}
	return s.spaceOf(r.Context(), holder)
}

// countMadeUp counts a certificate that is none of ours, or returns
// *admission.Throttled.
func (s *Server) countMadeUp(r *http.Request) error {
	made := s.limiter.ByClient("certificate", s.client(r))
	if err := s.limiter.Wait(r.Context(), made); err != nil {
		return err
	}
	return s.limiter.Count(r.Context(), made)
}

// spaceOf finds the one space whose sheet named this serial number and this authority.
// It never finds a space by the serial number alone.
func (s *Server) spaceOf(ctx context.Context, holder certificate.Holder) (entry, error) {
	spaces, err := s.cfg.DB.SpacesOfCertificate(ctx, holder.Serial)
	if err != nil {
		return entry{}, err
	}
	var found []sql.CertificateSpace
	refusal := entryUnknown
	for _, c := range spaces {
		switch err := s.cfg.Certificates.Issued(c.Space.Certificate.Issuer, holder); {
		case err == nil:
			found = append(found, c)
		case !errors.Is(err, certificate.ErrOtherAuthority):
			refusal = entryUnmatched
		}
	}
	entered := func(c sql.CertificateSpace) bool { return c.Space.Access == conversion.AccessCertificate }
	switch {
	case len(found) == 0:
		return entry{}, refusal
	case !slices.ContainsFunc(found, entered):
		return entry{}, entrySwitched // R3
	case len(found) > 1:
		return entry{}, entryAmbiguous
	}
	return entry{id: found[0].ID, space: found[0].Space, holder: holder, open: found[0].Open, lost: found[0].Unreached, last: found[0].NoOther}, nil
}

// over tells that the last day of a certificate, as the sheet has it, has passed.
func (s *Server) over(last time.Time) bool { return conversion.DayOver(last, s.cfg.Now()) }

// shown is the certificate that the client has shown, nil for none. A site has one way:
// the TLS handshake or, with proxies that ask for certificates, their header. The
// headers of others do not count, nor does the proxy's own certificate.
func (s *Server) shown(r *http.Request) (*x509.Certificate, error) {
	switch {
	case len(s.cfg.CertProxies) > 0 && s.cfg.CertProxies.Sent(r):
		return certificate.FromHeader(r.Header)
	case len(s.cfg.CertProxies) > 0, r.TLS == nil, len(r.TLS.PeerCertificates) == 0:
		return nil, nil
	}
	return r.TLS.PeerCertificates[0], nil
}

// AskCertificate makes a TLS configuration ask browsers for a certificate and judge
// none. The pages judge it with each request. So a refusal is a page of ours, and a
// revocation also ends open connections (R7). Without tickets, no session outlives its
// handshake. base holds the server's certificate already: each handshake gets a copy.
// The site must have authorities (Config.Certificates).
//
// If proxies ask for the certificate (Config.CertProxies), base is returned as it is: a
// certificate shown here would not count.
func (s *Server) AskCertificate(base *tls.Config) *tls.Config {
	if len(s.cfg.CertProxies) > 0 {
		return base
	}
	config := base.Clone()
	config.ClientAuth, config.SessionTicketsDisabled = tls.RequestClientCert, true
	config.NextProtos = []string{"h2", "http/1.1"}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.GetConfigForClient, now.ClientCAs = nil, s.cfg.Certificates.ClientCAs()
		return now, nil
	}
	return config
}

// certificateKey marks requests to the listener that asks browsers for a certificate.
type certificateKey struct{}

func asksCertificate(r *http.Request) bool { return r.Context().Value(certificateKey{}) != nil }

// offersCertificates tells whether anybody can enter with a certificate here.
func (s *Server) offersCertificates() bool { return s.cfg.Certificates != nil && s.certURL != "" }

// refusedTitles name each refusal; the page tells the remedy.
var refusedTitles = map[entryRefusal]string{
	certificate.None:        "Aucun certificat n’a été présenté",
	certificate.Malformed:   "Votre certificat n’a pas pu être lu",
	certificate.Untrusted:   "Votre certificat n’est pas reconnu",
	certificate.WrongUsage:  "Ce certificat ne sert pas à s’identifier",
	certificate.Revoked:     "Votre certificat a été révoqué",
	certificate.NotYetValid: "Votre certificat n’est pas encore valide",
	certificate.Expired:     "Votre certificat a expiré",
	entryUnavailable:        "L’accès avec certificat n’est pas proposé ici",
	entryUnknown:            "Aucun espace n’est associé à ce certificat",
	entryAmbiguous:          "Plusieurs espaces sont associés à ce certificat",
	entryUnmatched:          "L’émetteur de votre certificat n’a pas pu être vérifié",
	entrySwitched:           "Votre espace est déjà sans certificat",
}

// refuseEntry names the refusal that err wraps, and the remedy (R7). Neither tells
// anything about the holder, so they may be logged: what is wrong with a header only the
// operator of the proxy can mend.
func (s *Server) refuseEntry(w http.ResponseWriter, r *http.Request, err error) error {
	s.cfg.Log.Info("entry refused", "why", err.Error())
	refusal, _ := errors.AsType[entryRefusal](err)
	return s.write(w, r, http.StatusForbidden, "certificate_refused", view{
		Title: refusedTitles[refusal], Data: refusal,
	})
}

// showCertificate is "Accéder avec mon certificat". It leads into the space, or to the
// address that asks the browser for the certificate (R7). The browser leaves a session
// by it; the database does not change.
func (s *Server) showCertificate(w http.ResponseWriter, r *http.Request) error {
	if !asksCertificate(r) {
		v := view{}
		if s.offersCertificates() {
			v.Data = s.certURL
		}
		return s.write(w, r, http.StatusOK, "certificate", v)
	}
	_, err := s.byCertificate(r)
	if _, refused := errors.AsType[entryRefusal](err); refused {
		return s.refuseEntry(w, r, err)
	}
	if err != nil {
		return err
	}
	if _, err := r.Cookie(s.cookieName(spaceCookie)); err == nil {
		http.SetCookie(w, s.cookie(spaceCookie, "", -time.Second))
	}
	return seeOther(w, r, "/espace")
}
