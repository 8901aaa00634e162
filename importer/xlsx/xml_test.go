package xlsx

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// The reader judges parts like encoding/xml, well-formed or not, whatever the pieces of
// the bytes. It is stricter where the standard library is lenient. The bug it would
// catch: a part cut off or damaged that passes for whole.
func TestXMLReader(t *testing.T) {
	tests := []struct {
		xml  string
		want string // what is read, "!" for an error
	}{
		{`<a/>`, "<a></a>"},
		{`<a></a >`, "<a></a>"},
		{`<?xml version="1.0"?><!-- x --><a b='1' c = "2&lt;&#65;&#x42;"/>` + "\n<!-- end -->", "<a b=1 c=2<AB></a>"},
		{`<a>x&amp;y<![CDATA[<&]]>z</a>`, "<a>x&y<&z</a>"},
		{"<a>1\r\n2\r3</a>", "<a>1\n2\n3</a>"},
		{"\ufeff<é ü='ß'>Ж😀</é>", "<é ü=ß>Ж😀</é>"},
		{`<a b=">"><b/><b></b></a>`, "<a b=>><b></b><b></b></a>"},
		{`<a>]] > ]></a>`, "<a>]] > ]></a>"},
		{`<?XML version="1.0"?><a/>`, "!"}, {"<a>\ufffe</a>", "!"}, {"<a>&toolongforanyname</a>", "!"},
		{``, "!"}, {` `, "!"}, {`text`, "!"}, {`<a>`, "!"}, {`<a`, "!"}, {`<a b="`, "!"}, {`</a>`, "!"}, {`<a></b>`, "!"}, {`<a></aa>`, "!"}, {`<ab></a>`, "!"},
		{`<a/><b/>`, "!"}, {`<a/>x`, "!"}, {`x<a/>`, "!"}, {`<a/>&amp;`, "!"}, {`<a>&lt</a>`, "!"}, {`<a>&nbsp;</a>`, "!"}, {`<a>&#0;</a>`, "!"},
		{`<a>&#xD800;</a>`, "!"}, {`<a>&#x110000;</a>`, "!"}, {`<a b=1/>`, "!"}, {`<a b/>`, "!"}, {`<a b="1" b="2"/>`, "!"}, {`<a b="1"c="2"/>`, "!"},
		{`<a b="<"/>`, "!"}, {`<a b="&x;"/>`, "!"}, {`<1/>`, "!"}, {`< a/>`, "!"}, {`<a>]]></a>`, "!"}, {`<!-- -- --><a/>`, "!"}, {`<a><!-- </a>`, "!"},
		{`<a><![CDATA[x</a>`, "!"}, {`<!DOCTYPE a><a/>`, "!"}, {`<?><a/>`, "!"}, {`<??><a/>`, "!"}, {`<!><a/>`, "!"}, {`<!-->`, "!"}, {`<a/><?xml version="1.0"?>`, "!"}, {` <?xml version="1.0"?><a/>`, "!"},
		{`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, "!"}, {"<a>\x00</a>", "!"}, {"<a>\x1f</a>", "!"}, {"<a b='\x02'/>", "!"}, {"<a>\xff</a>", "!"},
		{"<a>\xc3</a>", "!"}, {"<a>\uffff</a>", "!"}, {"<a/>\xe2\x82", "!"}, {strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65), "!"},
	}
	for _, tt := range tests {
		for name, src := range map[string]io.Reader{
			"whole":        strings.NewReader(tt.xml),
			"byte by byte": iotest.OneByteReader(strings.NewReader(tt.xml)),
			"with EOF":     iotest.DataErrReader(strings.NewReader(tt.xml)),
		} {
			if got := readXML(src); got != tt.want {
				t.Errorf("%s: %.60q gives %q, want %q", name, tt.xml, got, tt.want)
			}
		}
	}
}

// attributes are n of them.
func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="1"`, i)
	}
	return b.String()
}

// I8: an element has so many attributes, and a name so many bytes, and no more.
func TestXMLBounds(t *testing.T) {
	name := strings.Repeat("n", maxName)
	for xml, good := range map[string]bool{
		"<a" + attributes(maxAttrs) + "/>": true, "<a" + attributes(maxAttrs+1) + "/>": false,
		"<" + name + "/>": true, "<" + name + "a/>": false,
		"<a " + name + `="1"/>`: true, "<a " + name + `a="1"/>`: false,
	} {
		if got := readXML(strings.NewReader(xml)); (got != "!") != good {
			t.Errorf("%.20s of %d bytes gives %.20q", xml, len(xml), got)
		}
	}
}

// I8: a tag, comment or section without an end within two megabytes is refused before
// it is read whole.
func TestXMLWithoutEnd(t *testing.T) {
	endless := strings.Repeat("x ", 2<<20)
	for _, s := range []string{"<a><!--" + endless + "--></a>", "<a><![CDATA[" + endless + "]]></a>", `<a b="` + endless + `"/>`, "<a><?b " + endless + "?></a>"} {
		src := strings.NewReader(s)
		if got := readXML(src); got != "!" || src.Len() < len(endless)/4 {
			t.Errorf("%.10s: %.10q, %d bytes are not read", s, got, src.Len())
		}
	}
}

// readXML writes down what the reader says, elements closed one by one.
func readXML(src io.Reader) string {
	x := newXMLReader(src)
	var b strings.Builder
	var open []string
	for {
		tok, err := x.next()
		if err != nil {
			return "!"
		}
		switch tok {
		case xmlStart:
			open = append(open, string(x.name))
			b.WriteString("<" + string(x.name))
			for _, a := range x.attrs {
				b.WriteString(" " + string(a.name) + "=" + string(a.value))
			}
			b.WriteString(">")
		case xmlEnd:
			b.WriteString("</" + open[len(open)-1] + ">")
			open = open[:len(open)-1]
		case xmlText:
			if len(open) > 0 {
				b.Write(x.text)
			}
		case xmlDone:
			return b.String()
		}
	}
}

// FuzzXMLReader compares the reader with encoding/xml. A part that we accept is
// well-formed and holds the same texts.
func FuzzXMLReader(f *testing.F) {
	for _, s := range []string{"<a b='1'>x&amp;<![CDATA[y]]></a>", "<?xml version='1.0'?><a:b xmlns:a='c'><d/>\r\n</a:b>", "<a>]]&gt;</a><!-- - -->", "\ufeff<é>&#233;</é>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ours, ok := textOf(s)
		if !ok {
			return
		}
		d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(s, "\ufeff")))
		var theirs strings.Builder
		for {
			tok, err := d.RawToken()
			if err == io.EOF {
				break
			}
			if err != nil {
				return // it also checks names by character class, which we leave out
			}
			if text, ok := tok.(xml.CharData); ok {
				theirs.Write(text)
			}
		}
		if strings.TrimSpace(theirs.String()) != strings.TrimSpace(ours) {
			t.Errorf("%q holds %q, encoding/xml says %q", s, ours, theirs.String())
		}
	})
}

func textOf(s string) (string, bool) {
	x := newXMLReader(iotest.HalfReader(strings.NewReader(s)))
	var b strings.Builder
	for {
		switch tok, err := x.next(); {
		case err != nil:
			return "", false
		case tok == xmlText:
			b.Write(x.text)
		case tok == xmlDone:
			return b.String(), true
		}
	}
}
