package main

import "testing"

// D18: an account that the machine has no name for is its number, so that two of them are
// two persons. What $USER says is no account.
func TestAccount(t *testing.T) {
	t.Setenv("USER", "camille")
	for uid, want := range map[int]string{0: "root", 4004004: "4004004", 4004005: "4004005"} {
		if got := account(uid); got != want {
			t.Errorf("%d is %s, want %s", uid, got, want)
		}
	}
}
