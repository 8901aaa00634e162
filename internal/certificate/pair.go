package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// A Pair is a server's own certificate and its key. It follows its two files, so that a
// renewed certificate needs no restart. It is safe for concurrent use.
type Pair struct {
	log       *slog.Logger
	reading   sync.Mutex // held while the files are looked at
	cert, key file
	present   atomic.Pointer[tls.Certificate]
}

// OpenPair reads certFile (TLS_CERT_FILE: PEM, with its chain) and keyFile
// (TLS_KEY_FILE: PEM). The error names the variables. log gets each change that took
// effect, and each that did not.
func OpenPair(certFile, keyFile string, log *slog.Logger) (*Pair, error) {
	p := &Pair{log: log, cert: file{path: certFile}, key: file{path: keyFile}}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

// Get returns the present pair, for tls.Config.GetCertificate. The two files may be no
// pair for a while, because one is replaced before the other or is damaged. Then the
// pair before stays in force. Get never fails.
func (p *Pair) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p.reading.TryLock() { // concurrent callers take the pair before
		defer p.reading.Unlock()
		if p.cert.changed() || p.key.changed() {
			p.cert.tell(p.log, p.read())
		}
	}
	return p.present.Load(), nil
}

func (p *Pair) read() error {
	cert, err := p.cert.read()
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE: %w", err)
	}
	key, err := p.key.read()
	if err != nil {
		p.cert.info = nil // problem is about both files: the next look logs nothing
		return fmt.Errorf("TLS_KEY_FILE: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	p.present.Store(&pair)
	return nil
}
