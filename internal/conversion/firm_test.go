package conversion

import (
	"regexp"
	"strings"
	"testing"
)

// A line of a firm's sheet is signed for one number and one address, by any key of ours.
// The name of a firm's file is one that any file system takes, whatever the address.
func TestSignFirm(t *testing.T) {
	parse := func(s string) Email {
		t.Helper()
		e, err := ParseEmail(s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	old, err := ParseKeyring("dGVzdHMgYWxvbmUgdXNlIHRoaXMga2V5LCBub2JvZHkgZWxzZSE=")
	if err != nil {
		t.Fatal(err)
	}
	both, err := ParseKeyring("YW5vdGhlciBrZXksIGZvciB0ZXN0cyBvZiByb3RhdGlvbiBvbmx5IQ==,dGVzdHMgYWxvbmUgdXNlIHRoaXMga2V5LCBub2JvZHkgZWxzZSE=")
	if err != nil {
		t.Fatal(err)
	}
	mine, other := parse("Compta@un.example"), parse("compta@deux.example")
	sign := old.SignFirm("00123456", mine)
	for name, ok := range map[string]bool{
		"itself":           old.VerifyFirm("00123456", parse("compta@UN.example"), strings.ToLower(sign)),
		"after a rotation": both.VerifyFirm("00123456", mine, sign),
	} {
		if !ok {
			t.Errorf("%s is not taken", name)
		}
	}
	for name, ok := range map[string]bool{
		"another number":  old.VerifyFirm("00123457", mine, sign),
		"another address": old.VerifyFirm("00123456", other, sign),
		"none":            old.VerifyFirm("00123456", mine, ""),
		"a part":          old.VerifyFirm("00123456", mine, sign[:19]),
		"another key's":   old.VerifyFirm("00123456", mine, both.SignFirm("00123456", mine)),
	} {
		if ok {
			t.Errorf("the signature of %s is taken", name)
		}
	}
	for _, address := range []string{"..//..@un.example", "a/../b@un.example", strings.Repeat("a", 60) + "@un.example", "compta@société.example"} {
		e, err := ParseEmail(address)
		if err != nil {
			continue // it is no address
		}
		if name := old.FirmFile(e); !regexp.MustCompile(`^[0-9a-z]{16}$`).MatchString(name) {
			t.Errorf("the file of %s is called %s", address, name)
		}
	}
	if old.FirmFile(mine) == old.FirmFile(other) {
		t.Error("two addresses have one file")
	}
}
