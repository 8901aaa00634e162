package importer

import "fmt"

// A FileError refuses a spreadsheet as a whole: nothing of it was stored. Error
// is English, for the command line; French is what an administrator reads. Both
// are one line that says what the file is and what to do.
type FileError struct{ English, French string }

func (e *FileError) Error() string { return e.English }

// A Warning is something that an administrator should know about a file that
// was read all the same, in English and in French.
type Warning struct{ English, French string }

func (w Warning) String() string { return w.English }

// refuse makes a FileError; both formats take the same arguments in the same order.
func refuse(english, french string, args ...any) *FileError {
	return &FileError{fmt.Sprintf(english, args...), fmt.Sprintf(french, args...)}
}

// damaged refuses a part of a file that is not what its format demands. The
// reason is technical and stays English.
func damaged(part, reason string) *FileError {
	return refuse("%s is damaged (%s): open the file in the program that made it and save it again",
		"%s est endommagé (%s) : ouvrez le fichier dans le logiciel qui l'a produit et enregistrez-le de nouveau", part, reason)
}

func tooLarge() *FileError {
	return refuse("the file is too large once unpacked (more than 2 GiB): split it into several files",
		"le fichier est trop volumineux une fois décompressé (plus de 2 Gio) : répartissez-le en plusieurs fichiers")
}
