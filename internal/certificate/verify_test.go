package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"bascule/internal/devenv"
)

var professionals = pkix.Name{CommonName: "AC Exemple Professionnels", Organization: []string{"Autorité de certification d'exemple"}, Country: []string{"FR"}}

const accepted Refusal = ""

// R7: only a certificate that an authority of the file issued, for
// authentication, that is valid and not revoked, opens anything.
func TestVerify(t *testing.T) {
	ca, stranger := root(t, professionals), root(t, pkix.Name{CommonName: "AC inconnue"})
	twin := root(t, professionals) // the same name and another key
	middle, subscriber := ca.below(t, "AC intermédiaire", serial(5)), ca.client(t)
	yesterday, tomorrow := now.AddDate(0, 0, -1), now.AddDate(0, 0, 1)
	ended := dates(now.AddDate(-1, 0, 0), yesterday)
	store := openStore(t, pemCA(ca, middle), pemCRL(ca.crl(t, 13, 14), middle.crl(t)))
	outside := ca.below(t, "AC absente du fichier")
	for _, c := range []struct {
		name  string
		shown entity
		want  Refusal
	}{
		{"good", ca.client(t), accepted},
		{"good, by an intermediate of the file", middle.client(t), accepted},
		{"use not told", ca.client(t, use(), func(c *x509.Certificate) { c.KeyUsage = 0 }), accepted},
		{"any use", ca.client(t, use(x509.ExtKeyUsageAny)), accepted},
		{"for mail as well", ca.client(t, use(x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth)), accepted},
		{"in the second of its beginning", ca.client(t, dates(now, tomorrow)), accepted},
		{"in the second of its end", ca.client(t, dates(yesterday, now)), accepted},
		{"for agreeing on keys", ca.client(t, keyUse(x509.KeyUsageKeyAgreement)), accepted},
		{"large", ca.client(t, picture(maxCertificate-2<<10)), accepted},
		{"as large as may be", padded(t, ca, maxCertificate), accepted},

		{"none", entity{}, None},

		{"a critical extension that we do not know", ca.client(t, critical), Malformed},
		{"too large", ca.client(t, picture(maxCertificate)), Malformed},
		{"a byte too large", padded(t, ca, maxCertificate+1), Malformed},
		{"a negative number", negative(t, ca), Malformed},

		{"a stranger's", stranger.client(t), Untrusted},
		{"issued by a stranger who bears our authority's name", twin.client(t), Untrusted},
		{"a stranger's, expired", stranger.client(t, ended), Untrusted},
		{"a stranger's, not for authentication", stranger.client(t, use(x509.ExtKeyUsageServerAuth)), Untrusted},
		{"a stranger's own", stranger, Untrusted},
		{"by an authority below ours that is not in the file", outside.client(t), Untrusted},
		{"issued by a subscriber", subscriber.client(t), Untrusted},
		{"signed by itself", make509(t, entity{}, professionals, personalUse), Untrusted},

		{"a server's", ca.client(t, use(x509.ExtKeyUsageServerAuth)), WrongUsage},
		{"a server's, expired", ca.client(t, use(x509.ExtKeyUsageServerAuth), ended), WrongUsage},
		{"for signing documents", ca.client(t, keyUse(x509.KeyUsageContentCommitment)), WrongUsage},
		{"for encryption alone", ca.client(t, keyUse(x509.KeyUsageKeyEncipherment)), WrongUsage},
		{"the authority itself", ca, WrongUsage},
		{"an intermediate authority", middle, WrongUsage},
		{"an authority that may authenticate itself", ca.client(t, authoritative, personalUse), WrongUsage},

		{"revoked", ca.client(t, serial(13)), Revoked},
		{"revoked and expired", ca.client(t, serial(13), ended), Revoked},
		{"the number of a revoked one, of another authority", middle.client(t, serial(13)), accepted},

		{"not valid yet", ca.client(t, dates(now.Add(time.Second), tomorrow)), NotYetValid},
		{"expired", ca.client(t, dates(yesterday, now.Add(-time.Second))), Expired},
	} {
		h, err := store.Verify(c.shown.Certificate, now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want != accepted && h != (Holder{}) {
			t.Errorf("%s: a refused certificate has a holder: %v", c.name, h)
		}
	}
}

func critical(c *x509.Certificate) {
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}})
}

// picture makes a certificate longer by so many bytes.
func picture(size int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 12}, Value: make([]byte, size)})
	}
}

// negative is a certificate whose number has a sign, as some authorities made them.
func negative(t *testing.T, ca entity) entity {
	t.Helper()
	c := *ca.client(t).Certificate
	c.SerialNumber = big.NewInt(-0x1a2b)
	return entity{Certificate: &c}
}

// padded is a certificate of so many bytes.
func padded(t *testing.T, ca entity, size int) entity {
	t.Helper()
	c := *ca.client(t).Certificate
	c.Raw = append(c.Raw[:len(c.Raw):len(c.Raw)], make([]byte, size-len(c.Raw))...)
	return entity{Certificate: &c}
}

func keyUse(u x509.KeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.KeyUsage = u }
}

// R7: an authority that began after a certificate, or ended before it, does not
// turn an expired certificate into one that nobody issued.
func TestVerifyExpiredBesideItsAuthority(t *testing.T) {
	year := func(n int) time.Time { return now.AddDate(n, 0, 0) }
	for _, c := range []struct {
		name      string
		authority func(*x509.Certificate)
		leaf      func(*x509.Certificate)
		want      Refusal
	}{
		{"authority ended before the certificate", dates(year(-9), year(-3)), dates(year(-5), year(-2)), Expired},
		{"authority began after the certificate", dates(year(-3), year(9)), dates(year(-5), year(-2)), Expired},
		{"both ended", dates(year(-9), year(-1)), dates(year(-5), year(-2)), Expired},
		{"authority begins with the certificate", dates(year(1), year(9)), dates(year(1), year(2)), NotYetValid},
		{"a server's, of an authority that began after it", dates(year(-3), year(9)), serverUntil(year(-5), year(-2)), WrongUsage},
		{"they never met", dates(year(-1), year(9)), dates(year(-5), year(-2)), Untrusted},
		{"authority ended, certificate not", dates(year(-9), year(-1)), dates(year(-5), year(2)), Untrusted},
	} {
		ca := root(t, professionals, c.authority)
		if _, err := openStore(t, pemCA(ca), nil).Verify(ca.client(t, c.leaf).Certificate, now); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func serverUntil(from, until time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		dates(from, until)(c)
		use(x509.ExtKeyUsageServerAuth)(c)
	}
}

// R7: a holder is recognised by the certificate's number and its authority.
func TestVerifyHolder(t *testing.T) {
	ca := root(t, professionals)
	middle := ca.below(t, "AC intermédiaire")
	renewed := ca.crossed(t, middle, 99)
	old := ca.crossed(t, middle, 98, dates(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)))
	for _, c := range []struct {
		name   string
		file   []byte
		issuer entity
	}{
		{"the authority is in the file", pemCA(middle), middle},
		{"the root is in the file as well", pemCA(ca, middle), middle},
		{"a renewed certificate of the authority is in the file", pemCA(ca, renewed), renewed},
		{"an expired one beside it", pemCA(old, ca, renewed), renewed},
	} {
		leaf := middle.client(t)
		h, err := openStore(t, c.file, nil).Verify(leaf.Certificate, now)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if h.Serial != "1a2b" || h.Stale {
			t.Errorf("%s: %+v", c.name, h)
		}
		if !h.Issuer.Equal(c.issuer.Certificate) {
			t.Errorf("%s: another issuer", c.name)
		}
	}
}

// R7: an authority that one above it revoked is refused, however far above, even
// where the file trusts it by itself; one that a second authority vouches for is
// not.
func TestVerifyRevokedAuthority(t *testing.T) {
	ca, second := root(t, professionals), root(t, pkix.Name{CommonName: "AC seconde"})
	middle := ca.below(t, "AC intermédiaire", serial(5))
	low := middle.below(t, "AC fille", serial(7))
	crossed := second.crossed(t, middle, 6)
	for _, c := range []struct {
		name  string
		file  []byte
		shown entity
		list  []byte
		want  Refusal
	}{
		{"not revoked", pemCA(ca, middle), middle.client(t), ca.crl(t, 6), accepted},
		{"revoked by its root", pemCA(ca, middle), middle.client(t), ca.crl(t, 5), Revoked},
		{"revoked by its root, and good for the one below", pemCA(middle, ca), middle.client(t), pemCRL(ca.crl(t, 5), middle.crl(t)), Revoked},
		{"one between is revoked", pemCA(low, middle, ca), low.client(t), ca.crl(t, 5), Revoked},
		{"one between is not in the file", pemCA(low, ca), low.client(t), ca.crl(t, 5), accepted},
		{"another root vouches for it", pemCA(ca, second, middle, crossed), middle.client(t), ca.crl(t, 5), accepted},
		{"another root that stands first vouches for it", pemCA(second, crossed, ca, middle), middle.client(t), ca.crl(t, 5), accepted},
		{"another root vouches for one between", pemCA(low, ca, second, middle, crossed), low.client(t), ca.crl(t, 5), accepted},
		{"another root vouched for it, and does no longer", pemCA(ca, second, middle, crossed), middle.client(t), pemCRL(ca.crl(t, 5), second.crl(t, 6)), Revoked},
		{"the same for one between", pemCA(low, ca, second, middle, crossed), low.client(t), pemCRL(ca.crl(t, 5), second.crl(t, 6)), Revoked},
	} {
		_, err := openStore(t, c.file, c.list).Verify(c.shown.Certificate, now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7, R4: Stale tells whether a list of the issuer, or of an authority of the file above
// it, is missing, out of date or from the future. So nobody changes a space for good with
// a certificate that may be revoked.
func TestVerifyStale(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	twin := root(t, professionals)
	middle := ca.below(t, "AC intermédiaire", serial(5))
	low := middle.below(t, "AC fille")
	crossed := other.crossed(t, middle, 6)
	alias := ca.crossed(t, entity{&x509.Certificate{Subject: pkix.Name{CommonName: "AC renommée"}, SubjectKeyId: ca.SubjectKeyId}, ca.key}, 8)
	until := func(at time.Time) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.NextUpdate = at }
	}
	from := func(at time.Time) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = at, at.Add(time.Hour) }
	}
	older := func(l *x509.RevocationList) { l.ThisUpdate = now.AddDate(0, 0, -9) }
	late, future := until(now.Add(-time.Second)), from(now.Add(clockSkew+time.Second))
	three := pemCA(ca, other, twin)
	for _, c := range []struct {
		name  string
		file  []byte
		list  []byte
		shown entity
		want  bool
	}{
		{"no lists", three, nil, ca.client(t), false},
		{"up to date", three, ca.crl(t), ca.client(t), false},
		{"up to date for the last time", three, ca.crlOf(t, until(now)), ca.client(t), false},
		{"a second too old", three, ca.crlOf(t, late), ca.client(t), true},
		{"of another authority alone", three, other.crl(t), ca.client(t), true},
		{"by another key of the same name alone", three, twin.crl(t), ca.client(t), true},
		{"one of two is too old, and another's", three, pemCRL(other.crlOf(t, late), ca.crl(t)), ca.client(t), false},

		{"by a clock that is ahead of ours", three, ca.crlOf(t, from(now.Add(clockSkew))), ca.client(t), false},
		{"from the future", three, ca.crlOf(t, future), ca.client(t), true},
		{"from the future, beside one of now", three, pemCRL(ca.crlOf(t, future), ca.crl(t)), ca.client(t), false},
		{"of now, too old, beside an older one that is good", three, pemCRL(ca.crlOf(t, older), ca.crlOf(t, late)), ca.client(t), true},
		{"of the root's namesake, not of the root", pemCA(ca, twin, middle), pemCRL(twin.crl(t), middle.crl(t)), middle.client(t), true},

		{"of the root alone", pemCA(ca, middle), ca.crl(t), middle.client(t), true},
		{"of the intermediate alone", pemCA(ca, middle), middle.crl(t), middle.client(t), true},
		{"of both", pemCA(ca, middle), pemCRL(ca.crl(t), middle.crl(t)), middle.client(t), false},
		{"the root's is too old", pemCA(ca, middle), pemCRL(ca.crlOf(t, late), middle.crl(t)), middle.client(t), true},
		{"the root's is from the future", pemCA(ca, middle), pemCRL(ca.crlOf(t, future), middle.crl(t)), middle.client(t), true},
		{"the intermediate's is too old", pemCA(ca, middle), pemCRL(ca.crl(t), middle.crlOf(t, late)), middle.client(t), true},
		{"the root is not in the file", pemCA(middle), middle.crl(t), middle.client(t), false},
		{"of all three", pemCA(ca, middle, low), pemCRL(ca.crl(t), middle.crl(t), low.crl(t)), low.client(t), false},
		{"of all three, the root's too old", pemCA(ca, middle, low), pemCRL(ca.crlOf(t, late), middle.crl(t), low.crl(t)), low.client(t), true},
		{"of all three, none of the one between", pemCA(ca, middle, low), pemCRL(ca.crl(t), low.crl(t)), low.client(t), true},
		{"of the other of two roots", pemCA(ca, other, middle, crossed), pemCRL(ca.crlOf(t, late), other.crl(t), middle.crl(t)), middle.client(t), false},
		{"of the first of two roots", pemCA(other, crossed, ca, middle), pemCRL(other.crl(t), ca.crlOf(t, late), middle.crl(t)), middle.client(t), false},
		{"by our key under another name alone", pemCA(ca, alias), alias.crl(t), ca.client(t), true},
		{"of the root that revoked it, not of the other", pemCA(ca, other, middle, crossed), pemCRL(ca.crl(t, 5), middle.crl(t)), middle.client(t), true},
	} {
		h, err := openStore(t, c.file, c.list).Verify(c.shown.Certificate, now)
		if err != nil || h.Stale != c.want {
			t.Errorf("%s: stale %v, %v, want %v", c.name, h.Stale, err, c.want)
		}
	}
}

// R7, I8: authorities that vouch for each other are looked at once each.
func TestVerifyMutual(t *testing.T) {
	a, b := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	ab, ba := a.crossed(t, b, 1), b.crossed(t, a, 2)
	for _, c := range []struct {
		name  string
		lists []byte
		want  Refusal
		stale bool
	}{
		{"both listed", pemCRL(a.crl(t), b.crl(t)), accepted, false},
		{"one listed", a.crl(t), accepted, true},
		{"revoked by the other", pemCRL(a.crl(t), b.crl(t, 2)), Revoked, false},
	} {
		h, err := openStore(t, pemCA(ab, ba), c.lists).Verify(a.client(t).Certificate, now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want || h.Stale != c.stale {
			t.Errorf("%s: stale %v, %v", c.name, h.Stale, err)
		}
	}
}

// I8: each authority is looked at once, also where two vouch for each of forty on
// the way: there are 2^40 ways up.
func TestVerifyManyWays(t *testing.T) {
	one, two := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	file, issuers := []entity{one, two}, [2]entity{one, two}
	for i := range 40 {
		name := fmt.Sprintf("AC %d", i)
		below := issuers[0].below(t, name)
		issuers = [2]entity{below, issuers[1].crossed(t, below, 7)}
		file = append(file, issuers[:]...)
	}
	checkStep(t, "at the end of the ways", openStore(t, pemCA(file...), nil), issuers[0].client(t).Certificate, accepted)
}

// R7: a list that is out of date still revokes, and of two lists of one
// authority the newer one holds, in either order.
func TestVerifyOldLists(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	old := ca.crlOf(t, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = now.AddDate(0, 0, -9), now.AddDate(0, 0, -8)
	}, 13)
	for _, c := range []struct {
		name string
		list []byte
		want Refusal
	}{
		{"out of date", old, Revoked},
		{"a newer one of another authority says nothing", pemCRL(old, other.crl(t)), Revoked},
		{"released by a newer one", pemCRL(old, ca.crl(t, 14)), accepted},
		{"released by a newer one that stands first", pemCRL(ca.crl(t, 14), old), accepted},
		{"released by one from the future", pemCRL(old, ca.crlOf(t, func(l *x509.RevocationList) { l.ThisUpdate = now.Add(time.Hour) }, 14)), Revoked},
		{"revoked by one from the future", pemCRL(ca.crl(t), ca.crlOf(t, func(l *x509.RevocationList) { l.ThisUpdate = now.Add(time.Hour) }, 13)), Revoked},
	} {
		_, err := openStore(t, pemCA(ca, other), c.list).Verify(ca.client(t, serial(13)).Certificate, now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7: the package understands the certificates and lists of the demonstration's
// authority.
func TestVerifyDemonstration(t *testing.T) {
	dir := t.TempDir()
	authority, err := devenv.OpenAuthority(dir, professionals)
	if err != nil {
		t.Fatal(err)
	}
	c, err := authority.IssueClient(pkix.Name{CommonName: "Camille Durand"}, big.NewInt(0x1a2b), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	crl := filepath.Join(dir, "crl.pem")
	if err := authority.WriteCRL(crl, now.Add(-time.Hour), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	store, err := Open(authority.CAFile(), crl, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h, err := store.Verify(c.Leaf, now)
	if err != nil || h.Stale || h.Serial != "1a2b" {
		t.Fatalf("%+v, %v", h, err)
	}
	if err := store.Issued("CN=AC Exemple Professionnels, O=Autorité de certification d'exemple, C=FR", h); err != nil {
		t.Error(err)
	}
	if err := authority.WriteCRL(crl, now, now.Add(time.Hour), c.Leaf.SerialNumber); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Verify(c.Leaf, now); err != Revoked {
		t.Errorf("after the revocation: %v", err)
	}
}
