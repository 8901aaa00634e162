package certificate

import "testing"

// D9, R7: one certificate under two numbers is found out however its issuer is
// written: in any order and case, by any program; and in part, where the
// authorities are known.
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
}
