package certificate

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A Store holds the authorities whose certificates open spaces, and their revocation
// lists. It follows its two files: each use looks at both, and reads them again if they
// changed. It is safe for concurrent use.
type Store struct {
	log     *slog.Logger
	reading sync.Mutex // held while the files are looked at
	ca, crl file
	present atomic.Pointer[trust]
}

// trust is the contents of both files at one time. It is never changed.
type trust struct {
	authorities []*authority // in the order of the file, at least one
	unreadable  int          // certificates of the file that were left out
	pool        *x509.CertPool
	lists       []list
	listed      bool // whether revocation lists are configured at all
}

// Open reads caFile (CLIENT_CA_FILE: PEM, one or more certificates of authorities, each
// trusted by itself). It also reads crlFile (CLIENT_CRL_FILE: revocation lists of these
// authorities, in PEM, or one in DER; "" for none). The error names the variable and
// the problem of its file. log gets each change that took effect, each that did not,
// and the useless parts of the files.
func Open(caFile, crlFile string, log *slog.Logger) (*Store, error) {
	s := &Store{log: log, ca: file{path: caFile}, crl: file{path: crlFile}}
	t := new(trust)
	if err := s.readAuthorities(t); err != nil {
		return nil, err
	}
	if err := s.readLists(t); err != nil {
		return nil, err
	}
	s.present.Store(t)
	return s, nil
}

// ClientCAs is the hint for browsers about the certificates that are welcome
// (tls.Config.ClientCAs). The caller must not change it, and asks again for each
// connection: the file may have changed.
func (s *Store) ClientCAs() *x509.CertPool { return s.now().pool }

// Listed tells whether revocation lists are configured at all.
func (s *Store) Listed() bool { return s.now().listed }

// now is the trust at present. A caller that comes while another one reads the files
// does not wait: the trust before is good enough for that moment.
func (s *Store) now() *trust {
	if s.reading.TryLock() {
		defer s.reading.Unlock()
		s.refresh()
	}
	return s.present.Load()
}

// refresh reads the files that changed. Each file stands for itself: a list that cannot
// be used does not keep a removed authority. Lists are verified again when the
// authorities change.
func (s *Store) refresh() {
	caChanged, crlChanged := s.ca.changed(), s.crl.changed()
	if !caChanged && !crlChanged {
		return
	}
	t := *s.present.Load()
	if caChanged {
		err := s.readAuthorities(&t)
		s.ca.tell(s.log, err)
		crlChanged = crlChanged || err == nil
	}
	if crlChanged {
		s.crl.tell(s.log, s.readLists(&t))
	}
	s.present.Store(&t)
}

// readAuthorities leaves t as it was if there is an error.
func (s *Store) readAuthorities(t *trust) error {
	content, err := s.ca.read()
	if err != nil {
		return fmt.Errorf("CLIENT_CA_FILE: %w", err)
	}
	authorities, unreadable, err := parseAuthorities(content)
	if err != nil {
		return fmt.Errorf("CLIENT_CA_FILE: %s: %w", s.ca.path, err)
	}
	for _, problem := range unreadable {
		s.log.Warn("CLIENT_CA_FILE: an authority is left out: its certificate cannot be read, and nobody enters with one that it issued",
			"file", s.ca.path, "error", problem.Error())
	}
	t.authorities, t.unreadable, t.pool = authorities, len(unreadable), x509.NewCertPool()
	for _, a := range authorities {
		t.pool.AddCert(a.certificate)
	}
	return nil
}

// readLists leaves t as it was if there is an error.
func (s *Store) readLists(t *trust) error {
	if s.crl.path == "" {
		return nil
	}
	content, err := s.crl.read()
	if err != nil {
		return fmt.Errorf("CLIENT_CRL_FILE: %w", err)
	}
	lists, unsigned, err := parseLists(content, t.authorities)
	if err == nil && len(unsigned) > t.unreadable { // their authority may be one that was left out
		err = unsigned[0]
	}
	if err != nil {
		return fmt.Errorf("CLIENT_CRL_FILE: %s: %w", s.crl.path, err)
	}
	for _, problem := range unsigned {
		s.log.Warn("CLIENT_CRL_FILE: a list is left out", "file", s.crl.path, "error", problem.Error())
	}
	t.lists, t.listed = lists, true
	s.tellUnlisted(t)
	return nil
}

// tellUnlisted warns of authorities whose subscribers will not be able to opt.
func (s *Store) tellUnlisted(t *trust) {
	for _, a := range t.authorities {
		if !slices.ContainsFunc(t.lists, func(l list) bool { return l.issuer.is(a.certificate) }) {
			s.log.Warn("CLIENT_CRL_FILE: no list of an authority: who holds a certificate that it issued, or one below it, can look at the space, not opt",
				"file", s.crl.path, "authority", a.certificate.Subject.String())
		}
	}
}
