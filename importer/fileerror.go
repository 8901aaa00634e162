package importer

import (
	"errors"
	"fmt"
	"strings"

	"bascule/importer/spill"
	"bascule/importer/xlsx"
	"bascule/internal/text"
)

// A FileError refuses a spreadsheet as a whole: nothing of it was stored. Error is
// English, for the command line; French is for administrators. Both are one line that
// names the problem and the remedy.
type FileError struct{ English, French string }

func (e *FileError) Error() string { return e.English }

// A Warning tells an administrator, in English and in French, something about a file
// that was read all the same.
type Warning struct{ English, French string }

func (w Warning) String() string { return w.English }

// refuse makes a FileError; both formats take the same arguments in the same order.
func refuse(english, french string, args ...any) *FileError {
	return &FileError{fmt.Sprintf(english, args...), fmt.Sprintf(french, args...)}
}

// refusals are the texts for the problems of a workbook, with the remedy. The detail of
// a damage is technical and stays English.
var refusals = map[xlsx.Problem]struct{ english, french string }{
	xlsx.BadArchive: {"the file is a damaged or cut-off workbook ({detail}): fetch or save it again",
		"le fichier est un classeur endommagé ou tronqué ({detail}) : téléchargez-le ou enregistrez-le de nouveau"},
	xlsx.BadPart: {"{where} is damaged ({detail}): open the file in the program that made it and save it again",
		"{where} est endommagé ({detail}) : ouvrez le fichier dans le logiciel qui l’a produit et enregistrez-le de nouveau"},
	xlsx.BadName: {"the file is an archive with an unsafe entry name, not a workbook",
		"le fichier est une archive dont un élément porte un nom dangereux, pas un classeur"},
	xlsx.EmptyArchive: {"the file is an empty archive, not a workbook: save the spreadsheet again as .xlsx",
		"le fichier est une archive vide, pas un classeur : enregistrez de nouveau la feuille au format .xlsx"},
	xlsx.TooManyEntries: {"the file is an archive of more than {detail} entries, not a workbook",
		"le fichier est une archive de plus de {detail} éléments, pas un classeur"},
	xlsx.NoWorkbook: {"the file is an archive without a workbook: save the spreadsheet again as .xlsx",
		"le fichier est une archive sans classeur : enregistrez de nouveau la feuille au format .xlsx"},
	xlsx.NoSheet: {"the workbook has no worksheet",
		"le classeur n’a aucune feuille de calcul"},
	xlsx.Encrypted: {"the file is protected by a password: save it without one",
		"le fichier est protégé par un mot de passe : enregistrez-le sans mot de passe"},
	xlsx.TooLarge: {"the file is too large once unpacked (more than {detail} GiB): split it into several files",
		"le fichier est trop volumineux une fois décompressé (plus de {detail} Gio) : répartissez-le en plusieurs fichiers"},
	xlsx.Bomb: {"{where} inflates to more than {detail} times its size: the file is not a genuine workbook",
		"{where} représente plus de {detail} fois sa taille une fois décompressé : le fichier n’est pas un classeur authentique"},
	xlsx.Repetition: {"the cells repeat long texts, more than {detail} times the size of the file: it is not a list of subscribers",
		"les cellules répètent de longs textes, plus de {detail} fois la taille du fichier\u00a0: ce n’est pas une liste d’abonnés"},
	xlsx.LongRow: {"row {where} is longer than {detail} bytes: the file is not a list of subscribers",
		"la ligne {where} dépasse {detail} octets : le fichier n’est pas une liste d’abonnés"},
	xlsx.LongCell: {"cell {where} is longer than {detail} characters",
		"la cellule {where} dépasse {detail} caractères"},
}

// refusal makes a FileError of an error of package xlsx, and leaves any other error as
// it is.
func refusal(err error) error {
	if errors.Is(err, spill.ErrFull) {
		return tooLarge()
	}
	if e, ok := errors.AsType[*xlsx.Error](err); ok {
		return refusalOf(e)
	}
	return err
}

func refusalOf(e *xlsx.Error) *FileError {
	say, fill := refusals[e.Problem], strings.NewReplacer("{where}", text.Excerpt(e.Where), "{detail}", e.Detail)
	return &FileError{fill.Replace(say.english), fill.Replace(say.french)}
}

func tooLarge() *FileError { return refusalOf(xlsx.ErrTooLarge) }
