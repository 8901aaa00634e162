package refusal

import "testing"

// D11: the reason that servers' words tell, which of two counts, and what tells none.
func TestOf(t *testing.T) {
	for words, want := range map[string]Reason{
		"552 Boîte du destinataire pleine, destinataire inconnu": Full,
		"QuotaExceededException.MapiExceptionShutoffQuota":       Full,
		"Ce compte est suspendu temporairement":                  Full,
		"retry timeout exceeded: user unknown":                   GaveUp,
		"550 5.1.0 Emetteur invalide. Invalid Sender.":           Us,
		"550 Sender verify failed: no such user":                 Us,
		"450 user unknown, try again":                            Now,
		"550 L’adresse n’existe pas, voir x.example/antispam":    Gone,
		"554 rejected by our spam filter":                        Content,
		"550 Mail rejeté. Mail rejected.":                        Policy,
		"550 5.1.1":                                              Nothing, "": Nothing,
	} {
		if got := Of(words); got != want {
			t.Errorf("%q: %d, want %d", words, got, want)
		}
	}
}
