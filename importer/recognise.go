package importer

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"

	"bascule/importer/xlsx"
)

// isZip tells whether a file begins as an archive. A text may begin with PK alone.
func isZip(head []byte) bool {
	return len(head) >= 4 && head[0] == 'P' && head[1] == 'K' && head[2] < ' ' && head[3] < ' '
}

// recognise refuses a file that is neither a workbook nor text, and says what it is.
func recognise(in io.ReaderAt, size int64, head []byte) error {
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n\x00"))
	if len(text) == 0 {
		return refuse("the file is empty", "le fichier est vide")
	}
	if bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		return recogniseCompound(in, size)
	}
	if bytes.HasPrefix(text, []byte("<?xml")) && bytes.Contains(text, []byte("opendocument")) {
		return openDocument
	}
	for _, known := range []struct{ magic, english, french string }{
		{"%pdf", "a PDF document", "un document PDF"},
		{"{\\rtf", "a text document (RTF)", "un document de texte (RTF)"},
		{"pk\x03\x04", "a damaged workbook (something precedes it)", "un classeur endommagé (quelque chose le précède)"},
		{"<?xml", "an XML document", "un document XML"},
		{"mime-version:", "a web page (MHTML)", "une page web (MHTML)"},
		{"<", "a web page (HTML)", "une page web (HTML)"},
		{"\x1f\x8b", "a compressed archive (gzip)", "une archive compressée (gzip)"},
		{"7z\xbc\xaf\x27\x1c", "a compressed archive (7z)", "une archive compressée (7z)"},
		{"Rar!\x1a", "a compressed archive (RAR)", "une archive compressée (RAR)"},
		{"\x89PNG", "an image", "une image"},
		{"\xff\xd8\xff", "an image", "une image"},
	} {
		if bytes.HasPrefix(text, []byte(known.magic)) || bytes.HasPrefix(head, []byte(known.magic)) {
			return otherFormat(known.english, known.french)
		}
	}
	return nil
}

// recogniseCompound tells apart the two kinds of OLE files that a spreadsheet may be:
// the old .xls, and an encrypted .xlsx.
func recogniseCompound(in io.ReaderAt, size int64) error {
	name := utf16le("EncryptedPackage")
	buf := make([]byte, 64<<10+len(name))
	for off := int64(0); off < min(size, xlsx.MaxInflated); off += 64 << 10 {
		n, err := in.ReadAt(buf, off)
		if bytes.Contains(buf[:n], name) {
			return refuse("the workbook is encrypted: open it with its password and save it without one",
				"le classeur est protégé par un mot de passe : ouvrez-le et enregistrez-le sans mot de passe")
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return otherFormat("an old Excel workbook (.xls) or another Office document", "un ancien classeur Excel (.xls) ou un autre document Office")
}

func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

// recogniseArchive tells what an archive is that package xlsx refuses.
func recogniseArchive(in io.ReaderAt, size int64, err error) error {
	if e, ok := errors.AsType[*xlsx.Error](err); !ok || e.Problem != xlsx.NoWorkbook {
		return err
	}
	z, bad := zip.NewReader(in, size)
	if bad != nil {
		return err
	}
	if isOpenDocument(z) {
		return openDocument
	}
	for _, known := range []struct{ part, english, french string }{
		{"xl/workbook.bin", "a binary workbook (.xlsb)", "un classeur binaire (.xlsb)"},
		{"word/document.xml", "a Word document (.docx)", "un document Word (.docx)"},
		{"ppt/presentation.xml", "a presentation (.pptx)", "une présentation (.pptx)"},
		{"Index/Document.iwa", "an Apple Numbers file (.numbers)", "un document Numbers d’Apple (.numbers)"},
		{"Index.zip", "an Apple Numbers file (.numbers)", "un document Numbers d’Apple (.numbers)"},
	} {
		if _, bad := fs.Stat(z, known.part); bad == nil {
			return otherFormat(known.english, known.french)
		}
	}
	return err
}

// isOpenDocument recognises a file of LibreOffice by its first entry.
func isOpenDocument(z *zip.Reader) bool {
	f, err := z.Open("mimetype")
	if err != nil {
		return false
	}
	defer f.Close()
	kind, err := io.ReadAll(io.LimitReader(f, 256))
	return err == nil && strings.Contains(string(kind), "opendocument")
}

// openDocument refuses the default format of LibreOffice.
var openDocument = otherFormat("an OpenDocument file (.ods)", "un document OpenDocument (.ods)")

func otherFormat(english, french string) *FileError {
	return &FileError{
		English: "the file is " + english + ": save it as .xlsx or CSV",
		French:  "le fichier est " + french + " : enregistrez-le au format .xlsx ou CSV",
	}
}
