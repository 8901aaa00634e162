package xlsx

import (
	"strconv"
	"strings"

	"bascule/internal/text"
)

// A Problem is the reason why a workbook is refused, with the remedy, in English and in
// French. The detail of a damage is technical and stays English.
type Problem struct{ english, french string }

// The problems of a workbook. {where} and {detail} are Where and Detail of their Error.
var (
	BadArchive = Problem{"the file is a damaged or cut-off workbook ({detail}): fetch or save it again",
		"le fichier est un classeur endommagé ou tronqué ({detail}) : téléchargez-le ou enregistrez-le de nouveau"}
	BadPart = Problem{"{where} is damaged ({detail}): open the file in the program that made it and save it again",
		"{where} est endommagé ({detail}) : ouvrez le fichier dans le logiciel qui l’a produit et enregistrez-le de nouveau"}
	BadName = Problem{"the file is an archive with an unsafe entry name, not a workbook",
		"le fichier est une archive dont un élément porte un nom dangereux, pas un classeur"}
	EmptyArchive = Problem{"the file is an empty archive, not a workbook: save the spreadsheet again as .xlsx",
		"le fichier est une archive vide, pas un classeur : enregistrez de nouveau la feuille au format .xlsx"}
	TooManyEntries = Problem{"the file is an archive of more than {detail} entries, not a workbook",
		"le fichier est une archive de plus de {detail} éléments, pas un classeur"}
	NoWorkbook = Problem{"the file is an archive without a workbook: save the spreadsheet again as .xlsx",
		"le fichier est une archive sans classeur : enregistrez de nouveau la feuille au format .xlsx"}
	NoSheet = Problem{"the workbook has no worksheet",
		"le classeur n’a aucune feuille de calcul"}
	Encrypted = Problem{"the file is protected by a password: save it without one",
		"le fichier est protégé par un mot de passe : enregistrez-le sans mot de passe"}
	TooLarge = Problem{"the file is too large once unpacked (more than {detail} GiB): split it into several files",
		"le fichier est trop volumineux une fois décompressé (plus de {detail} Gio) : répartissez-le en plusieurs fichiers"}
	Bomb = Problem{"{where} inflates to more than {detail} times its size: the file is not a genuine workbook",
		"{where} représente plus de {detail} fois sa taille une fois décompressé : le fichier n’est pas un classeur authentique"}
	Repetition = Problem{"the cells repeat long texts, more than {detail} times the size of the file: it is not a list of subscribers",
		"les cellules répètent de longs textes, plus de {detail} fois la taille du fichier\u00a0: ce n’est pas une liste d’abonnés"}
	LongRow = Problem{"row {where} is longer than {detail} bytes: the file is not a list of subscribers",
		"la ligne {where} dépasse {detail} octets : le fichier n’est pas une liste d’abonnés"}
	LongCell = Problem{"cell {where} is longer than {detail} characters",
		"la cellule {where} dépasse {detail} caractères"}
)

// An Error refuses a workbook, in one line.
type Error struct {
	Problem Problem
	Where   string // a place in the file, as it is written there
	Detail  string
}

// Error is the refusal in English.
func (e *Error) Error() string { return e.fill(e.Problem.english) }

// French is the refusal in French.
func (e *Error) French() string { return e.fill(e.Problem.french) }

func (e *Error) fill(words string) string {
	return strings.NewReplacer("{where}", text.Excerpt(e.Where), "{detail}", e.Detail).Replace(words)
}

// ErrTooLarge is the Error of a file that is TooLarge, however that is found.
var ErrTooLarge = &Error{Problem: TooLarge, Detail: strconv.Itoa(MaxInflated >> 30)}
