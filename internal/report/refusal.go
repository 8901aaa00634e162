package report

import (
	"cmp"
	"regexp"
	"strings"
)

// replyCode is the beginning of a refusal: its reply code, and its enhanced status code
// (RFC 3463) if it has one.
var replyCode = regexp.MustCompile(`^([245]\d\d)(?:[ -]?[245]\.(\d{1,3}\.\d{1,3}))?\b`)

// frenchRefusal is the meaning of a refusal in French, with its code. The relay's words
// may be in any language.
func frenchRefusal(words string) string {
	if words == "" {
		return ""
	}
	code := replyCode.FindStringSubmatch(words)
	if code == nil {
		if strings.HasPrefix(words, "no answer") {
			return "la messagerie n’a pas répondu"
		}
		return "motif inconnu"
	}
	subject, _, _ := strings.Cut(code[2], ".")
	return cmp.Or(meanings[code[2]], meanings[subject], meanings[code[1]], "motif inconnu") + " (" + code[0] + ")"
}

// meanings are those of enhanced status codes, whatever their class; of the subjects of
// all others; and of reply codes alone.
var meanings = map[string]string{
	"1.0": "adresse refusée", "1.1": "adresse inconnue", "1.2": "domaine inconnu", "1.3": "adresse mal formée",
	"1.6": "boîte déplacée, sans nouvelle adresse", "1.10": "ce domaine ne reçoit pas de courriel",
	"2.1": "boîte fermée", "2.2": "boîte pleine", "2.3": "courriel trop long pour cette boîte", "2.4": "liste de diffusion en panne",
	"3.4": "courriel trop long pour la messagerie",
	"4.1": "la messagerie du destinataire ne répond pas", "4.4": "messagerie du destinataire introuvable", "4.7": "délai de remise dépassé",
	"7.1": "refusé par une règle de la messagerie",
	"1":   "adresse refusée", "2": "boîte indisponible", "3": "messagerie du destinataire indisponible", "4": "incident de réseau",
	"5": "incident d’échange entre messageries", "6": "contenu refusé", "7": "refusé par une règle de la messagerie",
	"421": "messagerie momentanément indisponible", "450": "boîte momentanément indisponible", "451": "incident de la messagerie",
	"452": "place insuffisante", "550": "adresse refusée", "551": "adresse d’une autre messagerie", "552": "place insuffisante",
	"553": "adresse mal formée", "554": "courriel refusé",
}
