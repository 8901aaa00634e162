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

func (b *book) requestColumns() []column[request] {
	s := b.styles
	return []column[request]{
		{"Abonné", "Numéro d’abonné", 17, s.text, func(r *request) workbook.Cell { return text(string(r.Number)) }},
		{"", "Titulaire", 36, s.text, func(r *request) workbook.Cell { return text(r.Holder) }},
		{"", "Adresse électronique", 46, s.text, func(r *request) workbook.Cell { return text(r.Email) }},
		{"", "Certificat valable jusqu’au", 16, s.day, func(r *request) workbook.Cell { return workbook.Day(r.CertificateExpires) }},
		{"Demande", "État", 17, s.text, b.stateCell},
		{"", "Invité par", 18, s.text, func(r *request) workbook.Cell { return text(origins[r.Origin]) }},
		{"", "Lot", 8, s.id, func(r *request) workbook.Cell { return id(r.Batch) }},
		{"", "Demandée le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.RequestedAt) }},
		{"Courriel", "Envoi commencé le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.StartedAt) }},
		{"", "Envoyé le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.MailedAt) }},
		{"", "À activer avant le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.ExpiresAt) }},
		{"", "Nombre de codes", 11, s.count, func(r *request) workbook.Cell { return number(r.Generation) }},
		{"", "Arrivée du courriel inconnue", 14, s.text, func(r *request) workbook.Cell { return yes(r.InDoubt) }},
		{"", "Revenu le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.BouncedAt) }},
		{"", "Motif du retour", 30, s.text, func(r *request) workbook.Cell { return text(cameBack(r)) }},
		{"", "Refus de la messagerie", 38, s.text, func(r *request) workbook.Cell { return text(frenchRefusal(r.Refusal)) }},
		{"", "Réponse de la messagerie", 38, s.text, func(r *request) workbook.Cell { return text(r.Refusal) }},
		{"Issue", "Activée le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.ActivatedAt) }},
		{"", "Terminée sans activation le", 17, s.instant, func(r *request) workbook.Cell { return instant(r.EndedAt) }},
		{"", "Numéro de la demande", 13, s.id, func(r *request) workbook.Cell { return id(r.ID) }},
	}
}

// stateCell colours a state as the summary does.
func (b *book) stateCell(r *request) workbook.Cell {
	return text(r.State.French()).In(b.styles.states[r.State])
}

func (b *book) rejectedColumns() []column[rejected] {
	s := b.styles
	return []column[rejected]{
		{"Fichier", "Lot", 8, s.id, func(r *rejected) workbook.Cell { return id(r.Batch) }},
		{"", "Nom du fichier", 36, s.text, func(r *rejected) workbook.Cell { return text(r.FileName) }},
		{"", "Ligne", 10, s.count, func(r *rejected) workbook.Cell { return number(r.Line) }},
		{"", "Cellule", 11, s.text, func(r *rejected) workbook.Cell { return text(r.Cell) }},
		{"Ligne", "Numéro d’abonné", 18, s.text, func(r *rejected) workbook.Cell { return text(r.Number) }},
		{"", "Verdict", 10, s.text, func(r *rejected) workbook.Cell { return text(verdicts[r.Verdict]) }},
		{"", "Motif", 90, s.wrapped, func(r *rejected) workbook.Cell { return text(r.Reason) }},
	}
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
