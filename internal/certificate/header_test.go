package certificate

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
)

func item(e entity) string { return ":" + base64.StdEncoding.EncodeToString(e.Raw) + ":" }

// R7: what a proxy hands on is read by the one form of RFC 9440; all else is
// refused, because somebody else may have written it.
func TestFromHeader(t *testing.T) {
	ca := root(t, professionals)
	middle := ca.below(t, "AC intermédiaire")
	leaf := middle.client(t)
	own, m, c := item(leaf), item(middle), item(ca)
	for _, tt := range []struct {
		name   string
		header http.Header
		want   []entity
		refuse bool
	}{
		{"nothing", http.Header{}, nil, false},
		{"headers of other ways", http.Header{"X-Ssl-Client-Cert": {own}, "X-Forwarded-Client-Cert": {own}, "Ssl-Client-Cert": {own}}, nil, false},
		{"a certificate", http.Header{"Client-Cert": {own}}, []entity{leaf}, false},
		{"blanks around", http.Header{"Client-Cert": {" \t" + own + " "}}, []entity{leaf}, false},
		{"a chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {m + ", " + c}}, []entity{leaf, middle, ca}, false},
		{"a chain in two fields", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {m, c}}, []entity{leaf, middle, ca}, false},
		{"an empty chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {""}}, []entity{leaf}, false},

		{"two certificates", http.Header{"Client-Cert": {own, own}}, nil, true},
		{"two certificates in one field", http.Header{"Client-Cert": {own + ", " + m}}, nil, true},
		{"an empty one", http.Header{"Client-Cert": {""}}, nil, true},
		{"an empty byte sequence", http.Header{"Client-Cert": {"::"}}, nil, true},
		{"one colon", http.Header{"Client-Cert": {":"}}, nil, true},
		{"no colons", http.Header{"Client-Cert": {strings.Trim(own, ":")}}, nil, true},
		{"no colon before", http.Header{"Client-Cert": {own[1:]}}, nil, true},
		{"no colon behind", http.Header{"Client-Cert": {own[:len(own)-1]}}, nil, true},
		{"a parameter", http.Header{"Client-Cert": {own + ";a=1"}}, nil, true},
		{"a string", http.Header{"Client-Cert": {`"` + own + `"`}}, nil, true},
		{"PEM", http.Header{"Client-Cert": {string(pemCA(leaf))}}, nil, true},
		{"escaped PEM", http.Header{"Client-Cert": {"-----BEGIN%20CERTIFICATE-----%0A"}}, nil, true},
		{"no base64", http.Header{"Client-Cert": {":?:"}}, nil, true},
		{"a line break", http.Header{"Client-Cert": {own[:40] + "\r\n" + own[40:]}}, nil, true},
		{"no certificate", http.Header{"Client-Cert": {":AAAA:"}}, nil, true},
		{"bytes behind the certificate", http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(append(leaf.Raw[:len(leaf.Raw):len(leaf.Raw)], 0)) + ":"}}, nil, true},
		{"a chain of nothing", http.Header{"Client-Cert-Chain": {m}}, nil, true},
		{"a gap in the chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {m + ",," + c}}, nil, true},
		{"an open end of the chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {m + ","}}, nil, true},
		{"no certificate in the chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {":AAAA:"}}, nil, true},
		{"a chain of ten", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {strings.Repeat(m+",", 9) + m}}, []entity{leaf, middle, middle, middle, middle, middle, middle, middle, middle, middle, middle}, false},
		{"a chain of eleven", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {strings.Repeat(m+",", 10) + m}}, nil, true},
		{"too much", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {m + "," + strings.Repeat(" ", maxHeader) + c}}, nil, true},
	} {
		got, err := FromHeader(tt.header)
		if errors.Is(err, Malformed) != tt.refuse || err != nil && !tt.refuse {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d certificates, want %d", tt.name, len(got), len(tt.want))
			continue
		}
		for i := range got {
			if !got[i].Equal(tt.want[i].Certificate) {
				t.Errorf("%s: certificate %d is another", tt.name, i+1)
			}
		}
	}
}

// I6: no refusal repeats what a certificate or a header says of a person.
func TestRefusalsTellNobody(t *testing.T) {
	leaf := root(t, professionals).client(t)
	spoiled := ":" + base64.StdEncoding.EncodeToString(leaf.Raw[:len(leaf.Raw)-1]) + ":"
	for _, value := range []string{spoiled, "Camille Durand", ":Camille:"} {
		if _, err := FromHeader(http.Header{"Client-Cert": {value}}); err == nil || strings.Contains(err.Error(), "Camille") {
			t.Errorf("%.40q: %v", value, err)
		}
	}
	_, err := openStore(t, pemCA(root(t, professionals)), nil).Verify(chain(leaf), now)
	if err == nil || strings.Contains(err.Error(), "Camille") {
		t.Error(err)
	}
}

// R7, I8: whatever the fields, they are refused or are as many certificates as
// they have items, within the bounds; what was read is written back the same.
func FuzzFromHeader(f *testing.F) {
	ca := root(f, professionals)
	own := item(ca.client(f))
	for _, s := range []string{"", own, own + ",", "::", ":", ":AA==:, :AA:", "\"a\"", own + ";p", own + "," + item(ca)} {
		f.Add("Client-Cert: "+own+"\nClient-Cert-Chain: "+s, true)
		f.Add("Client-Cert: "+s+"\nclient-cert: "+s, false)
	}
	f.Fuzz(func(t *testing.T, fields string, trailing bool) {
		if trailing {
			fields += "\nClient-Cert-Chain: " + own
		}
		h, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(fields + "\n\n"))).ReadMIMEHeader()
		certificates, err := FromHeader(http.Header(h))
		present := h["Client-Cert"] != nil || h["Client-Cert-Chain"] != nil
		switch {
		case !present && (err != nil || certificates != nil):
			t.Fatalf("nothing was sent: %v", err)
		case present && (err == nil) == (len(certificates) == 0), err != nil && !errors.Is(err, Malformed):
			t.Fatalf("%q: %d certificates, %v", fields, len(certificates), err)
		case len(certificates) > 1+maxIntermediates:
			t.Fatalf("%d certificates", len(certificates))
		}
		var items []string
		for _, c := range certificates {
			items = append(items, item(entity{Certificate: c}))
		}
		sent := strings.Join(append(h["Client-Cert"], h["Client-Cert-Chain"]...), ",")
		if err == nil && strings.Join(items, ",") != strings.TrimSuffix(strings.Map(dropBlanks, sent), ",") {
			t.Fatalf("%q reads as %q", sent, items)
		}
	})
}

func dropBlanks(r rune) rune {
	if r == ' ' || r == '\t' {
		return -1
	}
	return r
}
