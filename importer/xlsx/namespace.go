package xlsx

import (
	"bytes"
	"strings"
)

// namespace is a namespace that matters here, or none. Namespaces that differ only in
// the variant of the format, transitional or strict, are one.
type namespace byte

const (
	nsNone          namespace = iota
	nsOther                   // of an extension
	nsSpreadsheet             // rows, cells, texts, styles, sheets
	nsDocument                // r:id
	nsLinks                   // the links of a part
	nsCompatibility           // alternatives for programs that know more or less
)

// namespaceOf knows the namespaces by their names: ECMA-376 transitional, and ISO
// strict.
var namespaceOf = map[string]namespace{
	"": nsNone,
	"http://schemas.openxmlformats.org/spreadsheetml/2006/main":           nsSpreadsheet,
	"http://purl.oclc.org/ooxml/spreadsheetml/main":                       nsSpreadsheet,
	"http://schemas.openxmlformats.org/officeDocument/2006/relationships": nsDocument,
	"http://purl.oclc.org/ooxml/officeDocument/relationships":             nsDocument,
	"http://schemas.openxmlformats.org/package/2006/relationships":        nsLinks,
	"http://schemas.openxmlformats.org/markup-compatibility/2006":         nsCompatibility,
}

// scope is the declarations of namespaces in force. An element counts by the name of
// its namespace, whatever its prefix and wherever that was declared.
type scope struct {
	bindings []binding
	unnamed  namespace // of elements without prefix
}

type binding struct {
	prefix string
	space  namespace
	depth  int // of the element that declares it
}

// maxBindings is far above what programs declare: each prefix is searched among them.
const maxBindings = 256

// declare adds the declarations among the attributes of an element.
func (s *scope) declare(attrs []xmlAttr, depth int) error {
	for _, a := range attrs {
		prefix, ok := strings.CutPrefix(string(a.name), "xmlns:")
		switch {
		case string(a.name) == "xmlns":
			prefix = ""
		case !ok:
			continue
		case prefix == "" || prefix == "xmlns" || len(a.value) == 0:
			return errPrefix
		}
		space, known := namespaceOf[string(a.value)]
		if !known {
			space = nsOther
		}
		if len(s.bindings) == maxBindings {
			return errLong
		}
		s.bindings = append(s.bindings, binding{prefix, space, depth})
		if prefix == "" {
			s.unnamed = space
		}
	}
	return nil
}

// leave forgets the declarations of deeper elements.
func (s *scope) leave(depth int) {
	for n := len(s.bindings); n > 0 && s.bindings[n-1].depth > depth; n-- {
		s.bindings = s.bindings[:n-1]
	}
	s.unnamed, _ = s.find(nil)
}

// find is the namespace that a prefix stands for.
func (s *scope) find(prefix []byte) (namespace, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if b := &s.bindings[i]; b.prefix == string(prefix) {
			return b.space, true
		}
	}
	return nsNone, len(prefix) == 0
}

// resolve splits a name. One without prefix is of the unnamed namespace.
func (s *scope) resolve(name []byte) (namespace, []byte, error) {
	i := bytes.IndexByte(name, ':')
	if i < 0 {
		return s.unnamed, name, nil
	}
	prefix, local := name[:i], name[i+1:]
	space, ok := s.find(prefix)
	if !ok || i == 0 || len(local) == 0 || bytes.IndexByte(local, ':') >= 0 {
		return 0, nil, errPrefix
	}
	return space, local, nil
}

// check requires that the prefixes of all attributes are declared.
func (s *scope) check(attrs []xmlAttr) error {
	for _, a := range attrs {
		if string(a.name) == "xmlns" || bytes.HasPrefix(a.name, []byte("xmlns:")) || bytes.HasPrefix(a.name, []byte("xml:")) {
			continue
		}
		if _, _, err := s.resolve(a.name); err != nil {
			return err
		}
	}
	return nil
}

// alternatives are the open elements of markup compatibility (ECMA-376 part 3). The
// first choice in an AlternateContent that we understand, or its fallback, takes the
// place of the AlternateContent.
type alternatives []alternative

type alternative struct {
	depth  int
	branch bool // a choice or a fallback that was chosen
	chosen bool // one of its branches was chosen
}

// enter looks at an element at a depth. through tells that its children take its place;
// otherwise it is no element of markup compatibility.
func (a *alternatives) enter(x *xmlReader) (through bool) {
	depth, outer := len(x.open), a.top()
	inside := outer != nil && !outer.branch && outer.depth == depth-1
	switch {
	case !inside:
		through = x.space == nsCompatibility && string(x.local) == "AlternateContent"
	case x.space == nsCompatibility && !outer.chosen:
		through = string(x.local) == "Fallback" || string(x.local) == "Choice" && x.understands(x.attr("Requires"))
		outer.chosen = through
	}
	if through {
		*a = append(*a, alternative{depth: depth, branch: inside})
	}
	return through
}

func (a *alternatives) top() *alternative {
	if len(*a) == 0 {
		return nil
	}
	return &(*a)[len(*a)-1]
}

// leave tells whether the element that ended was one of them.
func (a *alternatives) leave(depth int) bool {
	if t := a.top(); t == nil || t.depth != depth {
		return false
	}
	*a = (*a)[:len(*a)-1]
	return true
}

// understands tells whether we read the namespaces of all prefixes of a choice.
func (x *xmlReader) understands(prefixes string) bool {
	fields := strings.Fields(prefixes)
	for _, p := range fields {
		if space, _ := x.scope.find([]byte(p)); space != nsSpreadsheet && space != nsDocument {
			return false
		}
	}
	return len(fields) > 0
}
