package conversion

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
)

// SignFirm signs a line of the sheet that a firm fills in: we gave the space of this
// number to whoever reads the mail of this address. It is 20 symbols.
func (r *Keyring) SignFirm(number SubscriberNumber, to Email) string {
	return signFirm(r.keys[0], number, to)
}

// VerifyFirm tells whether one of the keys made the signature. Case does not count.
func (r *Keyring) VerifyFirm(number SubscriberNumber, to Email, signature string) bool {
	for _, k := range r.keys {
		if hmac.Equal([]byte(signFirm(k, number, to)), []byte(strings.ToUpper(signature))) {
			return true
		}
	}
	return false
}

func signFirm(k key, number SubscriberNumber, to Email) string {
	mac := hmac.New(sha256.New, k.firm)
	fmt.Fprintf(mac, "%d:%s,%s", len(number), number, to.Key())
	return crockfordEncoding.EncodeToString(mac.Sum(nil))[:20]
}

// FirmFile names the file of a firm without telling its address: 16 lower-case symbols.
func (r *Keyring) FirmFile(to Email) string { return strings.ToLower(r.SignFirm("", to)[:16]) }
