package certificate

import (
	"crypto/x509"
	"time"
)

// above tells what the file says of the way from a certificate up to a root, by
// whichever of its issuers says better. It is sound if neither the certificate
// nor an authority on the way is revoked, and fresh if each authority on the way
// has a list that is in force. The way ends where nobody of the file issued an
// authority: what is in the file is trusted by itself.
func (t *trust) above(c *x509.Certificate, issuers []*authority, at time.Time) (sound, fresh bool) {
	w := way{trust: t, at: at, known: make(map[*authority]standing)}
	s := w.standing(c, issuers)
	return s.sound, s.fresh
}

// A way looks at each authority once, however they vouch for each other.
type way struct {
	*trust
	at    time.Time
	known map[*authority]standing
}

// under is set while its answer is not known yet. Nothing is fresh that is not sound.
type standing struct{ under, sound, fresh bool }

func (w *way) standing(c *x509.Certificate, issuers []*authority) (s standing) {
	if w.revoked(c, w.at) {
		return s
	}
	end := true
	for _, i := range issuers {
		of := w.of(i)
		if of.under { // two that vouch for each other
			continue
		}
		end = false
		s.sound = s.sound || of.sound
		s.fresh = s.fresh || of.fresh && w.trust.fresh(i, w.at)
	}
	if end {
		return standing{sound: true, fresh: true}
	}
	return s
}

func (w *way) of(a *authority) standing {
	if s, ok := w.known[a]; ok {
		return s
	}
	w.known[a] = standing{under: true}
	w.known[a] = w.standing(a.certificate, a.issuers)
	return w.known[a]
}
