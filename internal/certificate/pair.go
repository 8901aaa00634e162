package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// A Pair is a server's own certificate and its key. It follows its two files, so
// that a renewed certificate needs no restart. It may be used by several
// goroutines at once.
type Pair struct {
	log       *slog.Logger
	reading   sync.Mutex // held by the one who looks at the files
	cert, key file
	present   atomic.Pointer[tls.Certificate]
}

// OpenPair reads certFile (TLS_CERT_FILE: PEM, with its chain) and keyFile
// (TLS_KEY_FILE: PEM). The error names the variables. log is told of each change
// that was taken over, and of each that was not.
func OpenPair(certFile, keyFile string, log *slog.Logger) (*Pair, error) {
	p := &Pair{log: log, cert: file{path: certFile}, key: file{path: keyFile}}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

// Get is the pair at present, for tls.Config.GetCertificate. As long as the two
// files are no pair, because one of them is replaced before the other or is
// damaged, the pair before stays in force. It never fails.
func (p *Pair) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if p.reading.TryLock() { // whoever comes meanwhile takes what held before
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
		p.cert.info = nil // who tells of both: it is not told a second time
		return fmt.Errorf("TLS_KEY_FILE: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	p.present.Store(&pair)
	return nil
}
