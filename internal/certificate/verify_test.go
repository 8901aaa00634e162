package certificate

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"path/filepath"
	"slices"
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
	store := openStore(t, pemCA(ca), pemCRL(ca.crl(t, 13, 14)))
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		want  Refusal
	}{
		{"good", chain(ca.client(t)), accepted},
		{"good, its authority sent along", chain(ca.client(t), ca), accepted},
		{"good, by an intermediate", chain(middle.client(t), middle), accepted},
		{"good, what is sent is in no order", chain(middle.client(t), stranger, ca, middle), accepted},
		{"use not told", chain(ca.client(t, use(), func(c *x509.Certificate) { c.KeyUsage = 0 })), accepted},
		{"any use", chain(ca.client(t, use(x509.ExtKeyUsageAny))), accepted},
		{"for mail as well", chain(ca.client(t, use(x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth))), accepted},
		{"in the second of its beginning", chain(ca.client(t, dates(now, tomorrow))), accepted},
		{"in the second of its end", chain(ca.client(t, dates(yesterday, now))), accepted},

		{"none", nil, None},

		{"a critical extension that we do not know", chain(ca.client(t, critical)), Malformed},
		{"more certificates than real chains have", slices.Repeat(chain(ca.client(t)), 12), Malformed},
		{"a key that takes seconds", chain(ca.client(t, hugeKey)), Malformed},
		{"a key that takes seconds, of an intermediate", chain(ca.client(t), ca.below(t, "x", hugeKey)), Malformed},

		{"a stranger's", chain(stranger.client(t)), Untrusted},
		{"a stranger's, who comes along", chain(stranger.client(t), stranger), Untrusted},
		{"issued by a stranger who bears our authority's name", chain(twin.client(t), twin), Untrusted},
		{"a stranger's, expired", chain(stranger.client(t, ended)), Untrusted},
		{"a stranger's, not for authentication", chain(stranger.client(t, use(x509.ExtKeyUsageServerAuth))), Untrusted},
		{"a stranger's own", chain(stranger), Untrusted},
		{"its intermediate is missing", chain(middle.client(t)), Untrusted},
		{"issued by a subscriber", chain(subscriber.client(t), subscriber), Untrusted},
		{"signed by itself", chain(make509(t, entity{}, professionals, personalUse)), Untrusted},
		{"by an expired intermediate", chain(expiredMiddle(t, ca)), Untrusted},

		{"a server's", chain(ca.client(t, use(x509.ExtKeyUsageServerAuth))), WrongUsage},
		{"a server's, expired", chain(ca.client(t, use(x509.ExtKeyUsageServerAuth), ended)), WrongUsage},
		{"for signing documents", chain(ca.client(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment })), WrongUsage},
		{"the authority itself", chain(ca), WrongUsage},
		{"an intermediate authority", chain(middle), WrongUsage},
		{"an authority that may authenticate itself", chain(ca.client(t, authoritative, personalUse)), WrongUsage},

		{"revoked", chain(ca.client(t, serial(13))), Revoked},
		{"revoked and expired", chain(ca.client(t, serial(13), ended)), Revoked},
		{"by a revoked intermediate", chain(revokedMiddle(t, ca)), Revoked},
		{"the number of a revoked one, of another authority", chain(middle.client(t, serial(13)), middle), accepted},

		{"not valid yet", chain(ca.client(t, dates(now.Add(time.Second), tomorrow))), NotYetValid},
		{"expired", chain(ca.client(t, dates(yesterday, now.Add(-time.Second)))), Expired},
	} {
		h, err := store.Verify(c.chain, now)
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

func hugeKey(c *x509.Certificate) {
	n := new(big.Int).Lsh(big.NewInt(1), maxRSABits)
	c.PublicKey = &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

func expiredMiddle(t *testing.T, ca entity) (leaf, middle entity) {
	middle = ca.below(t, "AC échue", dates(now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)))
	return middle.client(t), middle
}

func revokedMiddle(t *testing.T, ca entity) (leaf, middle entity) {
	middle = ca.below(t, "AC révoquée", serial(14))
	return middle.client(t), middle
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
		{"they never met", dates(year(-1), year(9)), dates(year(-5), year(-2)), Untrusted},
		{"authority ended, certificate not", dates(year(-9), year(-1)), dates(year(-5), year(2)), Untrusted},
	} {
		ca := root(t, professionals, c.authority)
		if _, err := openStore(t, pemCA(ca), nil).Verify(chain(ca.client(t, c.leaf)), now); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7: who holds a certificate is told by its number and its authority.
func TestVerifyHolder(t *testing.T) {
	ca := root(t, professionals)
	middle := ca.below(t, "AC intermédiaire")
	renewed := ca.crossed(t, middle, 99)
	old := ca.crossed(t, middle, 98, dates(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)))
	for _, c := range []struct {
		name   string
		file   []byte
		issuer *x509.Certificate
	}{
		{"the authority is in the file", pemCA(middle), middle.Certificate},
		{"the root is in the file as well", pemCA(ca, middle), middle.Certificate},
		{"a renewed certificate of the authority is in the file", pemCA(ca, renewed), renewed.Certificate},
		{"an expired certificate of the authority is in the file", pemCA(old, ca), old.Certificate},
		{"the root alone is in the file", pemCA(ca), nil},
	} {
		leaf := middle.client(t)
		h, err := openStore(t, c.file, nil).Verify(chain(leaf, middle), now)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if h.Serial != "1a2b" || !h.Expires.Equal(leaf.NotAfter) || h.Stale {
			t.Errorf("%s: %+v", c.name, h)
		}
		if (h.Issuer == nil) != (c.issuer == nil) || c.issuer != nil && !h.Issuer.Equal(c.issuer) {
			t.Errorf("%s: another issuer", c.name)
		}
	}
}

// R7: an authority that its root revoked is refused, even where the file trusts
// it by itself; one that a second authority vouches for is not.
func TestVerifyRevokedAuthority(t *testing.T) {
	ca, second := root(t, professionals), root(t, pkix.Name{CommonName: "AC seconde"})
	middle := ca.below(t, "AC intermédiaire", serial(5))
	leaf, crossed := middle.client(t), second.crossed(t, middle, 6)
	for _, c := range []struct {
		name  string
		file  []byte
		chain []*x509.Certificate
		list  []byte
		want  Refusal
	}{
		{"not revoked", pemCA(ca, middle), chain(leaf), ca.crl(t, 6), accepted},
		{"revoked by its root", pemCA(ca, middle), chain(leaf), ca.crl(t, 5), Revoked},
		{"another root vouches for it", pemCA(ca, second), chain(leaf, middle, crossed), ca.crl(t, 5), accepted},
		{"another root vouches for it, of no use to the leaf", pemCA(ca, second), chain(leaf, middle, crossed), pemCRL(ca.crl(t, 5), second.crl(t, 6)), Revoked},
	} {
		_, err := openStore(t, c.file, c.list).Verify(c.chain, now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7, R4: whether the issuer's list is missing or out of date is told, so that
// nobody changes a space for good with a certificate that may be revoked.
func TestVerifyStale(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	twin := root(t, professionals)
	middle := ca.below(t, "AC intermédiaire")
	until := func(at time.Time) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.NextUpdate = at }
	}
	for _, c := range []struct {
		name  string
		list  []byte
		chain []*x509.Certificate
		want  bool
	}{
		{"no lists", nil, chain(ca.client(t)), false},
		{"up to date", ca.crl(t), chain(ca.client(t)), false},
		{"up to date for the last time", ca.crlOf(t, until(now)), chain(ca.client(t)), false},
		{"a second too old", ca.crlOf(t, until(now.Add(-time.Second))), chain(ca.client(t)), true},
		{"of another authority alone", other.crl(t), chain(ca.client(t)), true},
		{"by another key of the same name alone", twin.crl(t), chain(ca.client(t)), true},
		{"of the root alone", ca.crl(t), chain(middle.client(t), middle), true},
		{"one of two is too old, and another's", pemCRL(other.crlOf(t, until(now.Add(-time.Second))), ca.crl(t)), chain(ca.client(t)), false},
	} {
		h, err := openStore(t, pemCA(ca, other, twin), c.list).Verify(c.chain, now)
		if err != nil || h.Stale != c.want {
			t.Errorf("%s: stale %v, %v, want %v", c.name, h.Stale, err, c.want)
		}
	}
}

// R7: a list that is out of date still revokes, and of two lists of one
// authority the newer one holds, in either order.
func TestVerifyOldLists(t *testing.T) {
	ca := root(t, professionals)
	old := ca.crlOf(t, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = now.AddDate(0, 0, -9), now.AddDate(0, 0, -8)
	}, 13)
	for _, c := range []struct {
		name string
		list []byte
		want Refusal
	}{
		{"out of date", old, Revoked},
		{"released by a newer one", pemCRL(old, ca.crl(t, 14)), accepted},
		{"released by a newer one that stands first", pemCRL(ca.crl(t, 14), old), accepted},
	} {
		_, err := openStore(t, pemCA(ca), c.list).Verify(chain(ca.client(t, serial(13))), now)
		if c.want == accepted && err != nil || c.want != accepted && err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7: what the demonstration's authority issues and revokes is understood.
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
	store, err := Open(authority.CAFile(), crl)
	if err != nil {
		t.Fatal(err)
	}
	h, err := store.Verify([]*x509.Certificate{c.Leaf}, now)
	if err != nil || h.Stale || h.Serial != "1a2b" {
		t.Fatalf("%+v, %v", h, err)
	}
	if err := store.Issued("CN=AC Exemple Professionnels, O=Autorité de certification d'exemple, C=FR", h); err != nil {
		t.Error(err)
	}
	authority.Revoke(c.Leaf.SerialNumber)
	if err := authority.WriteCRL(crl, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Verify([]*x509.Certificate{c.Leaf}, now); err != Revoked {
		t.Errorf("after the revocation: %v", err)
	}
}
