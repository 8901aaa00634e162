package certificate

import "testing"

// D9, R7: one certificate under two numbers is found out however its issuer is written:
// in any order and case, by any program; and in part, if the authorities are known.
func TestKey(t *testing.T) {
	t.Parallel()
	const full = "CN=AC Une, O=Exemple, C=FR"
	for other, same := range map[string]bool{
		"c=fr; o=EXEMPLE; cn=ac une": true, "/C=FR/O=Exemple/CN=AC Une": true, "CN=AC  Une,O=Exemple,C=FR": true,
		"CN=AC Deux, O=Exemple, C=FR": false, "CN=AC Une": false, "": false,
	} {
		if got := Key(full) == Key(other); got != same {
			t.Errorf("%q: the same %t, want %t", other, got, same)
		}
	}
	store := openStore(t, pemCA(root(t, professionals)), nil)
	for other, same := range map[string]bool{"": true, "C=FR": true, "ac exemple professionnels": true, "AC Une": false} {
		if got := store.Key("CN=AC Exemple Professionnels, C=FR") == store.Key(other); got != same {
			t.Errorf("%q: the same authority %t, want %t", other, got, same)
		}
	}
	if store.Key("AC Une") != Key("cn=ac une") {
		t.Error("an unknown authority is another one where the authorities are known")
	}
}
