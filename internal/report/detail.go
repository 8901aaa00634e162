package report

import (
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// The sheets of the detail.
const (
	requestSheet  = "Demandes"
	rejectedSheet = "Lignes refusées"
)

type (
	request  = conversion.ReportRequest
	rejected = conversion.ReportRejected
)

// requestFields colour a state as the summary does, by the numbers of their styles.
func requestFields(states map[conversion.State]int) []workbook.Field[request] {
	stateCell := func(r *request) workbook.Cell { return text(r.State.French()).In(states[r.State]) }
	return []workbook.Field[request]{
		field("Abonné", "Numéro d’abonné", 17, textStyle, func(r *request) workbook.Cell { return text(string(r.Number)) }),
		field("", "Titulaire", 36, textStyle, func(r *request) workbook.Cell { return text(r.Holder) }),
		field("", "Adresse électronique", 46, textStyle, func(r *request) workbook.Cell { return text(r.Email) }),
		field("", "Certificat valable jusqu’au", 16, dayStyle, func(r *request) workbook.Cell { return workbook.Day(r.CertificateExpires) }),
		field("Demande", "État", 17, textStyle, stateCell),
		field("", "Invité par", 18, textStyle, func(r *request) workbook.Cell { return text(origins[r.Origin]) }),
		field("", "Lot", 8, idStyle, func(r *request) workbook.Cell { return id(r.Batch) }),
		field("", "Demandée le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.RequestedAt) }),
		field("Courriel", "Envoi commencé le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.StartedAt) }),
		field("", "Envoyé le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.MailedAt) }),
		field("", "À activer avant le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.ExpiresAt) }),
		field("", "Nombre de codes", 11, countStyle, func(r *request) workbook.Cell { return number(r.Generation) }),
		field("", "Arrivée du courriel inconnue", 14, textStyle, func(r *request) workbook.Cell { return yes(r.InDoubt) }),
		field("", "Revenu le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.BouncedAt) }),
		field("", "Motif du retour", 30, textStyle, func(r *request) workbook.Cell { return text(cameBack(r)) }),
		field("", "Refus de la messagerie", 38, textStyle, func(r *request) workbook.Cell { return text(frenchRefusal(r.Refusal)) }),
		field("", "Réponse de la messagerie", 38, textStyle, func(r *request) workbook.Cell { return text(r.Refusal) }),
		field("Issue", "Activée le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.ActivatedAt) }),
		field("", "Terminée sans activation le", 17, instantStyle, func(r *request) workbook.Cell { return instant(r.EndedAt) }),
		field("", "Numéro de la demande", 13, idStyle, func(r *request) workbook.Cell { return id(r.ID) }),
	}
}

var rejectedFields = []workbook.Field[rejected]{
	field("Fichier", "Lot", 8, idStyle, func(r *rejected) workbook.Cell { return id(r.Batch) }),
	field("", "Nom du fichier", 36, textStyle, func(r *rejected) workbook.Cell { return text(r.FileName) }),
	field("", "Ligne", 10, countStyle, func(r *rejected) workbook.Cell { return number(r.Line) }),
	field("", "Cellule", 11, textStyle, func(r *rejected) workbook.Cell { return text(r.Cell) }),
	field("Ligne", "Numéro d’abonné", 18, textStyle, func(r *rejected) workbook.Cell { return text(r.Number) }),
	field("", "Verdict", 10, textStyle, func(r *rejected) workbook.Cell { return text(verdicts[r.Verdict]) }),
	field("", "Motif", 90, wrappedStyle, func(r *rejected) workbook.Cell { return text(r.Reason) }),
}

// cameBack tells the class of the bounce. A mail is not delivered if it was late and
// its code died meanwhile.
func cameBack(r *request) string {
	if r.NotDelivered {
		return "non remis à temps"
	}
	return r.Bounce.French()
}

// origins are the words for the origin of a request (D7).
var origins = map[string]string{"import": "l’import d’un lot", "retry": "une relance", "space": "l’abonné lui-même"}

// verdicts are the words for the verdict on a row (D7).
var verdicts = map[string]string{"rejected": "rejeté", "excluded": "exclu"}
