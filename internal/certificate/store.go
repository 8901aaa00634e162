package certificate

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// A Store holds the authorities whose certificates open spaces, and their
// revocation lists. It follows its two files: both are looked at whenever the
// store is used, and read again when they changed. It may be used by several
// goroutines at once.
type Store struct {
	log     *slog.Logger
	reading sync.Mutex // held by the one who looks at the files
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

// Open reads caFile (CLIENT_CA_FILE: PEM, one or more certificates of
// authorities, each of which is trusted by itself) and crlFile (CLIENT_CRL_FILE:
// revocation lists of these authorities, in PEM, or one in DER; "" for none).
// The error names the variable and what is wrong with its file. log is told of
// each change that was taken over, of each that was not, and of what in the files
// is of no use.
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

// ClientCAs is the hint for browsers about whose certificates are welcome
// (tls.Config.ClientCAs). It is not to be changed, and to be asked for anew for
// each connection: the file may have changed.
func (s *Store) ClientCAs() *x509.CertPool { return s.now().pool }

// Listed tells whether revocation lists are configured at all.
func (s *Store) Listed() bool { return s.now().listed }

// now is what holds at present. Whoever comes while somebody else reads the
// files does not wait: what held before is good enough for that moment.
func (s *Store) now() *trust {
	if s.reading.TryLock() {
		defer s.reading.Unlock()
		s.refresh()
	}
	return s.present.Load()
}

// refresh takes over what changed. Each file stands for itself: a list that
// cannot be used does not keep an authority that was removed. Lists are
// verified again when the authorities change.
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
	if err == nil && len(unsigned) > t.unreadable { // each may be of an authority that was left out
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

// tellUnlisted names the authorities whose subscribers will not be able to opt.
func (s *Store) tellUnlisted(t *trust) {
	for _, a := range t.authorities {
		if !slices.ContainsFunc(t.lists, func(l list) bool { return l.issuer.is(a.certificate) }) {
			s.log.Warn("CLIENT_CRL_FILE: no list of an authority: who holds a certificate that it issued, or one below it, can look at the space, not opt",
				"file", s.crl.path, "authority", a.certificate.Subject.String())
		}
	}
}
