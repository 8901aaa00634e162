package certificate

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// A Store holds the authorities whose certificates open spaces, and their
// revocation lists. It follows its two files: both are looked at whenever the
// store is used, and read again when they changed. It may be used by several
// goroutines at once.
type Store struct {
	// Log is told of files that changed: once for each change that was taken
	// over, and once for each that was not. It is set before the first use; nil
	// for nobody.
	Log *slog.Logger

	reading sync.Mutex // held by the one who looks at the files
	ca, crl file
	present atomic.Pointer[trust]
}

// trust is the contents of both files at one time. It is never changed.
type trust struct {
	authorities []*authority // in the order of the file, at least one
	pool        *x509.CertPool
	lists       []list
	listed      bool // whether revocation lists are configured at all
}

// Open reads caFile (CLIENT_CA_FILE: PEM, one or more certificates of
// authorities, each of which is trusted by itself) and crlFile (CLIENT_CRL_FILE:
// revocation lists of these authorities, in PEM, or one in DER; "" for none).
// The error names the variable and what is wrong with its file.
func Open(caFile, crlFile string) (*Store, error) {
	s := &Store{ca: file{path: caFile}, crl: file{path: crlFile}}
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
		s.tell(err, &s.ca)
		crlChanged = crlChanged || err == nil
	}
	if crlChanged {
		s.tell(s.readLists(&t), &s.crl)
	}
	s.present.Store(&t)
}

// readAuthorities leaves t as it was if there is an error.
func (s *Store) readAuthorities(t *trust) error {
	content, err := s.ca.read()
	if err != nil {
		return fmt.Errorf("CLIENT_CA_FILE: %w", err)
	}
	authorities, err := parseAuthorities(content)
	if err != nil {
		return fmt.Errorf("CLIENT_CA_FILE: %s: %w", s.ca.path, err)
	}
	t.authorities, t.pool = authorities, x509.NewCertPool()
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
	lists, err := parseLists(content, t.authorities)
	if err != nil {
		return fmt.Errorf("CLIENT_CRL_FILE: %s: %w", s.crl.path, err)
	}
	t.lists, t.listed = lists, true
	return nil
}

// tell logs what became of a change, but not a second time that a file cannot
// be read.
func (s *Store) tell(err error, f *file) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	repeated := problem == f.problem && f.info == nil
	f.problem = problem
	switch {
	case s.Log == nil || f.path == "" || repeated:
	case err != nil:
		s.Log.Error("file not taken over: what it held before stays in force", "error", problem)
	default:
		s.Log.Info("file read again", "file", f.path)
	}
}

// A file is one that is followed.
type file struct {
	path    string      // "" if there is none
	info    fs.FileInfo // when it was last read; nil if that failed
	problem string      // what was last said about it, "" if all is well
}

// changed tells whether the file has to be read: another one bears its name, or
// its time or size is another. A change in place within the clock tick of the
// one before, to the same size, is missed: files are better replaced than
// overwritten.
func (f *file) changed() bool {
	if f.path == "" {
		return false
	}
	info, err := os.Stat(f.path)
	if err != nil || f.info == nil {
		return true
	}
	return !os.SameFile(info, f.info) || !info.ModTime().Equal(f.info.ModTime()) || info.Size() != f.info.Size()
}

// read returns the contents. After an error the next look reads it again.
func (f *file) read() ([]byte, error) {
	info, err := os.Stat(f.path) // before the contents: a change between the two is seen as one
	f.info = nil
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	f.info = info
	return content, nil
}

// find is the authority of the file that has the name and the key of a
// certificate; nil if there is none.
func (t *trust) find(c *x509.Certificate) *authority {
	for _, a := range t.authorities {
		if a.is(c) {
			return a
		}
	}
	return nil
}

// An authority is one certificate of CLIENT_CA_FILE.
type authority struct {
	certificate *x509.Certificate
	name        []attribute // its subject, to compare with a sheet's text
}

// is tells whether a certificate speaks of the same authority with the same
// key: renewed and cross-signed certificates do.
func (a *authority) is(c *x509.Certificate) bool {
	return bytes.Equal(a.certificate.RawSubject, c.RawSubject) &&
		bytes.Equal(a.certificate.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
}
