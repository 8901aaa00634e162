package certificate

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// R7: a file that cannot be used, or only in part, stops the start. The error names the
// variable and the problem.
func TestOpenRefusals(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	twin := root(t, professionals)
	renamed := other.crossed(t, entity{&x509.Certificate{Subject: pkix.Name{CommonName: "AC renommée"}, SubjectKeyId: ca.SubjectKeyId}, ca.key}, 7)
	good := pemCA(ca)
	list := ca.crl(t, 13)
	for _, c := range []struct {
		name     string
		ca, list []byte
		want     string // parts of the message, in order
	}{
		{"empty", []byte{}, nil, "CLIENT_CA_FILE…ca.pem…no PEM block of type CERTIFICATE"},
		{"DER", ca.Raw, nil, "CLIENT_CA_FILE…no PEM block"},
		{"a key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}), nil, "CLIENT_CA_FILE…block 1 is a PRIVATE KEY"},
		{"no certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), nil, "CLIENT_CA_FILE…certificate 1 of 1: x509"},
		{"a subscriber's certificate", pemCA(ca, ca.client(t)), nil, "CLIENT_CA_FILE…certificate 2 (CN=Camille Durand) is not an authority's"},
		{"half written", pemCA(ca, other)[:len(good)+40], nil, "CLIENT_CA_FILE…1 of 2 PEM blocks are damaged"},
		{"damaged in the middle", bytes.Join([][]byte{good, good}, []byte("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")), nil, "CLIENT_CA_FILE…1 of 3 PEM blocks are damaged"},

		{"empty list", good, []byte{}, "CLIENT_CRL_FILE…crl.pem…revocation list 1: x509"},
		{"a certificate as list", good, good, "CLIENT_CRL_FILE…block 1 is a CERTIFICATE, only X509 CRL"},
		{"list half written", good, list[:len(list)/2], "CLIENT_CRL_FILE…revocation list 1: x509"},
		{"list damaged", good, pemCRL(list)[:100], "CLIENT_CRL_FILE…1 of 1 PEM blocks"},
		{"two lists in DER", good, append(bytes.Clone(list), other.crl(t)...), "CLIENT_CRL_FILE…something follows it"},
		{"list of another authority", good, pemCRL(list, other.crl(t)), "CLIENT_CRL_FILE…revocation list 2: no authority of CLIENT_CA_FILE signed it; it names CN=AC autre"},
		{"list signed by another key", good, twin.crl(t), "CLIENT_CRL_FILE…revocation list 1: no authority of CLIENT_CA_FILE signed it"},
		{"list of another name with our key", good, renamed.crl(t), "CLIENT_CRL_FILE…revocation list 1: no authority of CLIENT_CA_FILE signed it; it names CN=AC renommée"},
		{"delta list", good, ca.crlOf(t, partial), "CLIENT_CRL_FILE…critical extension 2.5.29.27"},
	} {
		f := newFolder(t, c.ca, c.list)
		_, err := Open(f.ca, f.crl, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		rest := err.Error()
		for part := range strings.SplitSeq(c.want, "…") {
			var found bool
			if _, rest, found = strings.Cut(rest, part); !found {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
		}
	}
}

func partial(l *x509.RevocationList) {
	l.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
}

// R7: one authority's certificate that cannot be read shuts out its own subscribers
// alone, and is logged. The same holds for a list that may be of that authority. A file
// that cannot be read at all stops the start.
func TestUnreadableAuthority(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})
	file := bytes.Join([][]byte{pemCA(ca), broken}, nil)
	f := newFolder(t, file, pemCRL(ca.crl(t, 13), other.crl(t)))
	store := f.open(t)
	checkStep(t, "ours", store, ca.client(t).Certificate, accepted)
	checkStep(t, "ours, revoked", store, ca.client(t, serial(13)).Certificate, Revoked)
	log := f.logged()
	for _, want := range []string{"CLIENT_CA_FILE", "certificate 2 of 2: x509: ", "CLIENT_CRL_FILE", "revocation list 2: no authority of CLIENT_CA_FILE signed it"} {
		if !strings.Contains(log, want) {
			t.Errorf("logged %q, want %q", log, want)
		}
	}
	if strings.Count(log, "level=WARN") != 2 || strings.Count(log, "\n") != 2 {
		t.Errorf("logged %q, want two warnings", log)
	}
	f.write(t, f.crl, pemCRL(ca.crl(t), other.crl(t), other.crl(t)))
	checkStep(t, "more strange lists than authorities that are left out", store, ca.client(t, serial(13)).Certificate, Revoked)
	if log := f.logged(); !strings.Contains(log, "not taken over") {
		t.Errorf("logged %q, want that the lists are not taken over", log)
	}
	f.write(t, f.ca, pemCA(ca))
	f.write(t, f.crl, pemCRL(ca.crl(t), other.crl(t)))
	checkStep(t, "a strange list where all can be read", store, ca.client(t, serial(13)).Certificate, Revoked)

	store = newFolder(t, file, other.crl(t)).open(t)
	if h, err := store.Verify(ca.client(t).Certificate, now); err != nil || !h.Stale || !store.Listed() {
		t.Errorf("no list is left, and the holder is not stale: %v, %v", h.Stale, err)
	}

	f = newFolder(t, bytes.Join([][]byte{broken, broken}, nil), nil)
	if _, err := Open(f.ca, "", slog.New(slog.DiscardHandler)); err == nil || strings.Count(err.Error(), "of 2: x509") != 2 {
		t.Errorf("nothing can be read: %v", err)
	}
}

// R7: authorities without any list are named when the lists are read: their
// subscribers cannot opt.
func TestUnlistedAuthority(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	f := newFolder(t, pemCA(ca, other), pemCRL(ca.crl(t)))
	store := f.open(t)
	if log := f.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "CLIENT_CRL_FILE: no list") || !strings.Contains(log, "CN=AC autre") {
		t.Errorf("logged %q", log)
	}
	f.write(t, f.crl, pemCRL(ca.crl(t), other.crl(t)))
	checkStep(t, "both", store, ca.client(t).Certificate, accepted)
	if log := f.logged(); strings.Contains(log, "WARN") {
		t.Errorf("logged %q", log)
	}
	if f = newFolder(t, pemCA(ca, other), nil); f.open(t).Listed() || f.logged() != "" {
		t.Error("without lists at all, there is nothing to name")
	}
}

// R7: a missing file stops the start as well.
func TestOpenMissing(t *testing.T) {
	f := newFolder(t, pemCA(root(t, professionals)), nil)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for variable, open := range map[string]func() (*Store, error){
		"CLIENT_CA_FILE":  func() (*Store, error) { return Open(missing, "", nil) },
		"CLIENT_CRL_FILE": func() (*Store, error) { return Open(f.ca, missing, nil) },
	} {
		if _, err := open(); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), variable+": ") || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

// R7: text around the blocks, as `openssl x509 -text` writes it, is no obstacle,
// and a list may be in PEM or DER.
func TestOpen(t *testing.T) {
	ca := root(t, professionals)
	text := append([]byte("Certificate:\n    Data:\n        Version: 3 (0x2)\n"), pemCA(ca)...)
	for name, list := range map[string][]byte{"DER": ca.crl(t, 13), "PEM": append([]byte("Certificate Revocation List (CRL):\n"), pemCRL(ca.crl(t, 13))...)} {
		if _, err := openStore(t, text, list).Verify(ca.client(t, serial(13)).Certificate, now); err != Revoked {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// R7: a revocation holds from the moment when the file is replaced. A file that cannot
// be used leaves the one before in force, and is logged once.
func TestStoreFollowsFiles(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	f := newFolder(t, pemCA(ca), pemCRL(ca.crl(t)))
	store := f.open(t)
	mine, theirs := ca.client(t).Certificate, other.client(t).Certificate
	for _, step := range []struct {
		name         string
		change       func()
		mine, theirs Refusal
		log          string // a part of the only line; "" for none
	}{
		{"at the start", func() {}, accepted, Untrusted, ""},
		{"revoked", func() { f.write(t, f.crl, pemCRL(ca.crl(t, 0x1a2b))) }, Revoked, Untrusted, "crl.pem"},
		{"nothing changed", func() {}, Revoked, Untrusted, ""},
		{"released", func() { f.write(t, f.crl, pemCRL(ca.crl(t))) }, accepted, Untrusted, "crl.pem"},
		{"the list is damaged", func() { f.write(t, f.crl, []byte("x")) }, accepted, Untrusted, "CLIENT_CRL_FILE"},
		{"still damaged", func() {}, accepted, Untrusted, ""},
		{"damaged again", func() { f.write(t, f.crl, []byte("y")) }, accepted, Untrusted, "CLIENT_CRL_FILE"},
		{"of a stranger", func() { f.write(t, f.crl, pemCRL(other.crl(t))) }, accepted, Untrusted, "no authority of CLIENT_CA_FILE signed it"},
		{"missing", func() { remove(t, f.crl) }, accepted, Untrusted, "no such file"},
		{"still missing", func() {}, accepted, Untrusted, ""},
		{"back, revoked", func() { f.write(t, f.crl, pemCRL(ca.crl(t, 0x1a2b))) }, Revoked, Untrusted, "crl.pem"},
		{"authorities damaged", func() { f.write(t, f.ca, pemCA(ca)[:100]) }, Revoked, Untrusted, "CLIENT_CA_FILE"},
		{"still damaged", func() {}, Revoked, Untrusted, ""},
		{"authorities missing", func() { remove(t, f.ca) }, Revoked, Untrusted, "no such file"},
		{"still missing", func() {}, Revoked, Untrusted, ""},
	} {
		step.change()
		checkStep(t, step.name, store, mine, step.mine)
		checkStep(t, step.name, store, theirs, step.theirs)
		if log := f.logged(); strings.Count(log, "\n") > 1 || !strings.Contains(log, step.log) || (log == "") != (step.log == "") {
			t.Errorf("%s: logged %q, want one line with %q", step.name, log, step.log)
		}
	}
}

// R7: an authority that is removed is trusted no longer, even if a list of it
// remains in the other file; the lists of those who stay hold on.
func TestStoreFollowsAuthorities(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	f := newFolder(t, pemCA(ca, other), pemCRL(ca.crl(t, 13), other.crl(t, 13)))
	store := f.open(t)
	checkStep(t, "at the start", store, other.client(t).Certificate, accepted)

	f.write(t, f.ca, pemCA(ca))
	checkStep(t, "removed", store, other.client(t).Certificate, Untrusted)
	checkStep(t, "stayed, revoked", store, ca.client(t, serial(13)).Certificate, Revoked)
	checkStep(t, "stayed", store, ca.client(t).Certificate, accepted)
	if log := f.logged(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "revocation list 2") {
		t.Errorf("logged %q, want that the authorities were read and the second list was not", log)
	}

	f.write(t, f.crl, pemCRL(ca.crl(t, 13, 14)))
	f.write(t, f.ca, pemCA(other, ca))
	checkStep(t, "came back", store, other.client(t).Certificate, accepted)
	checkStep(t, "revoked since", store, ca.client(t, serial(14)).Certificate, Revoked)
	if h, err := store.Verify(other.client(t).Certificate, now); err != nil || !h.Stale {
		t.Errorf("whose list is gone: stale %v, %v", h.Stale, err)
	}
}

// R7: a list that came before its authority is verified again when that comes.
func TestStoreReadsListsAgain(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	f := newFolder(t, pemCA(ca), pemCRL(ca.crl(t)))
	store := f.open(t)
	f.write(t, f.crl, pemCRL(ca.crl(t), other.crl(t, 13)))
	checkStep(t, "the list came", store, other.client(t, serial(13)).Certificate, Untrusted)
	f.write(t, f.ca, pemCA(ca, other))
	checkStep(t, "the authority came", store, other.client(t, serial(13)).Certificate, Revoked)
}

// R7: the store notices a file that another one of the same size and time replaces. It
// also notices a change in place that keeps the time.
func TestStoreNoticesReplacement(t *testing.T) {
	ca := root(t, professionals)
	f := newFolder(t, pemCA(ca), pemCRL(ca.crl(t, 0x1a2c)))
	store := f.open(t)
	before, err := os.Stat(f.crl)
	if err != nil {
		t.Fatal(err)
	}
	list := pemCRL(ca.crl(t, 0x1a2b))
	for int64(len(list)) != before.Size() { // a signature is a byte longer or shorter by chance
		list = pemCRL(ca.crl(t, 0x1a2b))
	}
	beside := f.crl + ".new"
	f.write(t, beside, list)
	if err := errors.Join(os.Chtimes(beside, before.ModTime(), before.ModTime()), os.Rename(beside, f.crl)); err != nil {
		t.Fatal(err)
	}
	checkStep(t, "replaced", store, ca.client(t).Certificate, Revoked)

	longer := pemCRL(ca.crl(t, 1, 2, 3))
	if err := errors.Join(os.WriteFile(f.crl, longer, 0o600), os.Chtimes(f.crl, before.ModTime(), before.ModTime())); err != nil {
		t.Fatal(err)
	}
	checkStep(t, "written over", store, ca.client(t).Certificate, accepted)
}

// A change between the look at a file and the end of reading is seen as one: here
// the file is read from a pipe that another one has replaced meanwhile.
func TestFileChangedWhileRead(t *testing.T) {
	dir := t.TempDir()
	path, beside := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "new.pem")
	if err := errors.Join(syscall.Mkfifo(path, 0o600), os.WriteFile(beside, []byte("new"), 0o600)); err != nil {
		t.Fatal(err)
	}
	replaced := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(path, os.O_WRONLY, 0) // once somebody reads
		if err != nil {
			replaced <- err
			return
		}
		replaced <- errors.Join(os.Rename(beside, path), pipe.Close())
	}()
	f := file{path: path}
	if _, err := f.read(); err != nil {
		t.Fatal(err)
	}
	if err := <-replaced; err != nil {
		t.Fatal(err)
	}
	if !f.changed() {
		t.Error("the new file counts as read")
	}
}

// A caller that comes while another one reads the files does not wait: the trust before
// is good enough.
func TestNobodyWaitsForTheFiles(t *testing.T) {
	ca := root(t, professionals)
	f := newFolder(t, pemCA(ca), pemKey(t, ca.key))
	pair, err := OpenPair(f.ca, f.crl, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(f.ca, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	store.reading.Lock()
	defer store.reading.Unlock()
	pair.reading.Lock()
	defer pair.reading.Unlock()
	checkStep(t, "somebody reads", store, ca.client(t).Certificate, accepted)
	if shown, err := pair.Get(nil); err != nil || !bytes.Equal(shown.Certificate[0], ca.Raw) {
		t.Errorf("the pair before is not shown: %v", err)
	}
}

func checkStep(t *testing.T, name string, store *Store, shown *x509.Certificate, want Refusal) {
	t.Helper()
	if _, err := store.Verify(shown, now); want == accepted && err != nil || want != accepted && err != want {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// R7: while files change under many who ask, everybody gets an answer from one
// of the two contents.
func TestStoreConcurrently(t *testing.T) {
	ca := root(t, professionals)
	f := newFolder(t, pemCA(ca), pemCRL(ca.crl(t)))
	store, err := Open(f.ca, f.crl, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	shown := ca.client(t).Certificate
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				if _, err := store.Verify(shown, now); err != nil && err != Revoked {
					t.Error(err)
				}
				if _, err := store.Match(""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		list := [][]byte{pemCRL(ca.crl(t)), pemCRL(ca.crl(t, 0x1a2b)), []byte("damaged")}[i%3]
		f.write(t, f.crl, list)
	}
	group.Wait()
	f.write(t, f.crl, pemCRL(ca.crl(t, 0x1a2b)))
	checkStep(t, "at the end", store, shown, Revoked)
}

// R7: browsers get the names of the authorities that the file has at the moment.
func TestClientCAs(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	f := newFolder(t, pemCA(ca), nil)
	store := f.open(t)
	for _, file := range [][]entity{{ca}, {ca, other}} {
		f.write(t, f.ca, pemCA(file...))
		want := x509.NewCertPool()
		for _, a := range file {
			want.AddCert(a.Certificate)
		}
		if !store.ClientCAs().Equal(want) {
			t.Errorf("with %d authorities the pool is another", len(file))
		}
		if log := f.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "ca.pem") {
			t.Errorf("logged %q, want one line about the only file", log)
		}
	}
}
