package xlsx

// This file reads parts element by element, over the tokens of xml.go.

// child goes to the next element inside the innermost open one, and skips text. It
// returns its local name, "" if it is of another namespace than the root, and nil when
// the innermost element has ended.
func (x *xmlReader) child() ([]byte, error) {
	for {
		tok, err := x.next()
		switch {
		case err != nil:
			return nil, err
		case tok == xmlText:
		case tok == xmlStart && x.space == x.home && len(x.alternatives) == 0:
			return x.local, nil
		case tok == xmlStart:
			if !x.alternatives.enter(x) {
				return x.own(), nil
			}
		case len(x.alternatives) == 0 || !x.alternatives.leave(len(x.open)+1):
			return nil, nil
		}
	}
}

// document reads a whole part: its root, which must be of that name and namespace,
// and its children as children does.
func (x *xmlReader) document(root string, of namespace, read map[string]func() error) error {
	name, err := x.child()
	if err != nil {
		return err
	}
	if string(name) != root || x.home != of {
		return xmlError("its root is not <" + root + ">")
	}
	if err := x.children(read); err != nil {
		return err
	}
	return x.drain()
}

// children reads each child of the innermost open element by the function of its
// name, which goes to its end, and skips the others.
func (x *xmlReader) children(read map[string]func() error) error {
	for {
		name, err := x.child()
		if err != nil || name == nil {
			return err
		}
		if f := read[string(name)]; f != nil {
			err = f()
		} else {
			err = x.skip()
		}
		if err != nil {
			return err
		}
	}
}

// leaves calls visit for each child of that name, whose attributes it may read.
func (x *xmlReader) leaves(name string, visit func() error) error {
	return x.children(map[string]func() error{name: func() error {
		if err := visit(); err != nil {
			return err
		}
		return x.skip()
	}})
}

// own is the local name of the element just read; "" if it is of another namespace.
func (x *xmlReader) own() []byte {
	outer := x.alternatives.top()
	if x.space != x.home || outer != nil && !outer.branch && outer.depth == len(x.open)-1 {
		return []byte{}
	}
	return x.local
}

// skip goes to the end of the innermost open element.
func (x *xmlReader) skip() error {
	for depth := len(x.open); len(x.open) >= depth; {
		if _, err := x.next(); err != nil {
			return err
		}
	}
	return nil
}

// appendText appends the text of the innermost open element, not that of the
// elements in it, and goes to its end.
func (x *xmlReader) appendText(dst []byte) ([]byte, error) {
	for {
		tok, err := x.next()
		switch {
		case err != nil:
			return dst, err
		case tok == xmlText:
			if dst = append(dst, x.text...); len(dst) > MaxRowText {
				return dst, errLong
			}
		case tok == xmlStart:
			if err := x.skip(); err != nil {
				return dst, err
			}
		case tok == xmlEnd:
			return dst, nil
		}
	}
}

// attr is the value of an attribute of the start tag just read, by its whole name.
func (x *xmlReader) attr(name string) string {
	for _, a := range x.attrs {
		if string(a.name) == name {
			return string(a.value)
		}
	}
	return ""
}

// drain reads to the end of the part.
func (x *xmlReader) drain() error {
	for {
		if tok, err := x.next(); err != nil || tok == xmlDone {
			return err
		}
	}
}
