package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// static serves the style sheet, the script and the images, those of the theme first.
// They share one version, so that they can name each other by relative URLs.
type static struct {
	version string
	files   map[string][]byte
}

// loadStatic reads the built-in files, then those of the theme folder, if there is one.
func loadStatic(themeDir string) (*static, error) {
	s := &static{files: make(map[string][]byte)}
	builtIn, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	if err := s.load(builtIn); err != nil {
		return nil, err
	}
	if themeDir != "" { // a link that leads out of it, to a folder or nowhere is an error that names it
		root, err := os.OpenRoot(themeDir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		if err := s.load(root.FS()); err != nil {
			return nil, err
		}
	}
	s.version = s.digest()
	return s, nil
}

// maxStatic is the most bytes of a file: the start names a file that does not belong
// there.
const maxStatic = 4 << 20

// load reads the files that pages may need. It leaves out names that begin with a dot,
// and endings that pages have no use for: other files beside the theme are served to
// nobody.
func (s *static) load(from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() || contentTypes[path.Ext(name)] == "" {
			return nil
		}
		content, err := readStatic(from, name)
		s.files[name] = content
		return err
	})
}

func readStatic(from fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(from, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read, or is a link that leads out of the folder: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file, nor a link to one in the folder", name)
	case info.Size() > maxStatic:
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxStatic>>20)
	}
	return fs.ReadFile(from, name)
}

func (s *static) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		fmt.Fprintf(h, "%d:%s,%d:", len(name), name, len(s.files[name]))
		h.Write(s.files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// url is the URL of a file; "" if there is none of that name.
func (s *static) url(name string) string {
	if _, ok := s.files[name]; !ok {
		return ""
	}
	return "/static/" + s.version + "/" + name
}

// serve answers for any version, as pages of another release may still be open.
// Browsers may keep only the present one.
func (s *static) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	content, ok := s.files[name]
	if !ok {
		return failure{status: http.StatusNotFound}
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	if r.PathValue("version") == s.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Type", contentTypes[path.Ext(name)])
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content) // fails if the client has gone, which needs no answer
	return nil
}

// contentTypes are the endings that are served, in lower case. The list does not depend
// on the machine.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".gif":   "image/gif",
	".ico":   "image/x-icon",
	".jpeg":  "image/jpeg",
	".jpg":   "image/jpeg",
	".js":    "text/javascript; charset=utf-8",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".webp":  "image/webp",
	".woff":  "font/woff",
	".woff2": "font/woff2",
}
