package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// static serves the style sheet, the script and the images, those of the theme
// first. One version covers them all, so that they can name each other by
// relative URLs.
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
	if themeDir != "" {
		if err := s.load(os.DirFS(themeDir)); err != nil {
			return nil, err
		}
	}
	s.version = s.digest()
	return s, nil
}

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
		if e.IsDir() {
			return nil
		}
		content, err := fs.ReadFile(from, name)
		s.files[name] = content
		return err
	})
}

func (s *static) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		fmt.Fprintf(h, "%d:%s,%d:", len(name), name, len(s.files[name]))
		h.Write(s.files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// url is where a file is served, "" if there is none of that name.
func (s *static) url(name string) string {
	if _, ok := s.files[name]; !ok {
		return ""
	}
	return "/static/" + s.version + "/" + name
}

// serve answers for any version, as pages of another release may still be open;
// only the present one may be kept.
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
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content) // fails when the reader has gone: nobody is left to tell
	return nil
}

// contentType does not ask the machine for what every page needs.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
