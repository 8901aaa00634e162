package recap

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// amendCatalog appends an incremental update (ISO 32000-1, 7.5.6) that replaces the
// catalog. It tells screen readers the language, and makes readers show the title
// rather than the file's name. gofpdf cannot do that.
func amendCatalog(b *bytes.Buffer) error {
	// The end of the file is gofpdf's own, whatever the texts before it hold.
	trailer := b.Bytes()[max(bytes.LastIndex(b.Bytes(), []byte("/Root ")), 0):]
	var root, info, previous int
	if _, err := fmt.Sscanf(string(trailer), "/Root %d 0 R\n/Info %d 0 R\n>>\nstartxref\n%d", &root, &info, &previous); err != nil {
		return fmt.Errorf("PDF trailer not understood: %w", err)
	}
	id := sha256.Sum256(b.Bytes())
	object := b.Len()
	fmt.Fprintf(b, "%d 0 obj\n<<\n/Type /Catalog\n/Pages 1 0 R\n/Lang (fr-FR)\n"+
		"/ViewerPreferences << /DisplayDocTitle true >>\n>>\nendobj\n", root)
	table := b.Len()
	fmt.Fprintf(b, "xref\n0 1\n0000000000 65535 f \n%d 1\n%010d 00000 n \n", root, object)
	fmt.Fprintf(b, "trailer\n<<\n/Size %d\n/Root %d 0 R\n/Info %d 0 R\n/Prev %d\n/ID [<%x> <%x>]\n>>\nstartxref\n%d\n%%%%EOF\n",
		root+1, root, info, previous, id[:16], id[:16], table)
	return nil
}
