package conversion

import (
	"fmt"
	"strings"
)

// SignFirm signs a line of the sheet that a firm fills in: we gave the space of this
// number to whoever reads the mail of this address. It is 20 symbols.
func (r *Keyring) SignFirm(number SubscriberNumber, to Email) string {
	return r.keys[0].signFirm(number, to)
}

// VerifyFirm tells whether one of the keys made the signature. Case does not count.
func (r *Keyring) VerifyFirm(number SubscriberNumber, to Email, signature string) bool {
	return r.made(strings.ToUpper(signature), func(k key) string { return k.signFirm(number, to) })
}

func (k key) signFirm(number SubscriberNumber, to Email) string {
	return symbols(mac(k.firm, fmt.Sprintf("%d:%s,%s", len(number), number, to.Key())), 20)
}

// FirmFile names the file of a firm without telling its address: 16 lower-case symbols.
func (r *Keyring) FirmFile(to Email) string { return strings.ToLower(r.SignFirm("", to)[:16]) }
