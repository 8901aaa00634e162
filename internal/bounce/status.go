package bounce

import (
	"cmp"
	"slices"
	"strings"

	"bascule/internal/conversion"
	"bascule/internal/refusal"
)

// reported is the class of a delivery status (RFC 3464) of a mail to one address, if that
// is known. Only its fields count where a group names it. Otherwise the gravest recipient
// does, as servers pass mails on. The words for people help if the codes say nothing.
func reported(status []byte, text, to string) (class conversion.Bounce) {
	list := groups(status) // a group about the message, not about a recipient, tells nothing
	if slices.ContainsFunc(list, func(group fields) bool { return group.names(to) }) {
		list = slices.DeleteFunc(list, func(group fields) bool { return !group.names(to) })
	}
	for _, group := range list {
		if c := recipient(group, text); gravity(c) > gravity(class) {
			class = c
		}
	}
	return class
}

// tellsFate tells whether a delivery status says what became of anybody's mail. One that is
// empty or cut off does not, and the words for people count.
func tellsFate(status []byte) bool {
	return slices.ContainsFunc(groups(status), func(group fields) bool {
		return group.get("action") != "" || group.get("status") != ""
	})
}

// names tells whether a group is about the mail to an address.
func (f fields) names(to string) bool {
	return to != "" && (address(f.get("final-recipient")) == to || address(f.get("original-recipient")) == to)
}

// address is the address of a field, in lower case, without its type and brackets.
func address(field string) string {
	if at := strings.LastIndexByte(field, ';'); at >= 0 {
		field = field[at+1:]
	}
	return strings.ToLower(strings.Trim(field, "<> \t"))
}

func gravity(b conversion.Bounce) int { return slices.Index(conversion.Bounces(), b) }

// groups are the groups of fields of a delivery status, separated by blank lines. A
// recipient begins a new group even without a blank line.
func groups(status []byte) (list []fields) {
	lines := strings.Split(strings.ReplaceAll(string(status), "\r\n", "\n"), "\n")
	begin := 0
	seen := false // a recipient, in this group
	cut := func(end int) {
		if group, _ := readHeader([]byte(strings.Join(lines[begin:end], "\n"))); len(group) > 0 {
			list = append(list, group)
		}
		begin, seen = end, false
	}
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			cut(i)
			continue
		}
		if name, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "final-recipient") {
			if seen {
				cut(i)
			}
			seen = true
		}
	}
	cut(len(lines))
	return list
}

func firstGroup(body []byte) fields {
	if list := groups(body); len(list) > 0 {
		return list[0]
	}
	return fields{}
}

// word is the first word of an Action, whatever follows it.
var word = atFirstUse(`[a-z]+`)

// recipient is the class of the fate of one recipient.
func recipient(group fields, text string) conversion.Bounce {
	said := group.get("diagnostic-code")
	code := enhanced(group.get("status"))
	switch word().FindString(strings.ToLower(group.get("action"))) {
	case "delivered", "relayed", "expanded":
		return ""
	case "delayed", "expired":
		return conversion.BounceLate
	case "failed":
	default: // misspelt or missing: the status decides
		if code == "" || code[0] == '2' {
			return ""
		}
	}
	if vague(code) {
		code = cmp.Or(exact(said), code)
	}
	if said == "" {
		said = quoteless(text)
	}
	return failure(code, said)
}

// code finds an enhanced status code (RFC 3463) with anything around it.
var code = atFirstUse(`(?:^|[^0-9.])([245])\.(\d{1,3})\.(\d{1,3})(?:$|[^0-9.]|\.(?:$|\D))`)

func enhanced(s string) string {
	m := code().FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	return strings.Join(m[1:], ".")
}

// exact is the first code of a text that is not vague; "" if there is none.
func exact(s string) string {
	for {
		at := code().FindStringSubmatchIndex(s)
		if at == nil {
			return ""
		}
		if found := enhanced(s[at[0]:at[1]]); !vague(found) {
			return found
		}
		s = s[at[1]-1:]
	}
}

// vague tells whether a code says only success or failure. Cisco's servers give 5.1.0 to
// whatever was refused at the recipient's turn, and tell the other side's words behind it.
func vague(code string) bool {
	return code == "" || strings.HasSuffix(code, ".0.0") || code == "5.1.0"
}

// failure is the class of a failure, by its enhanced code ("" if there is none) and its
// words. A code that blames a full mailbox, the policy or the queue counts. One that blames
// the address counts unless the words name another reason. Otherwise the words do.
func failure(code, said string) conversion.Bounce {
	_, kind, _ := strings.Cut(code, ".") // subject and detail
	subject, _, _ := strings.Cut(kind, ".")
	switch {
	case kind == "4.7":
		return conversion.BounceLate
	case kind == "2.2", subject == "7":
		return conversion.BouncePolicy
	case strings.HasPrefix(code, "4.") && !vague(code): // a temporary failure whose time is over
		return conversion.BounceLate
	case kind == "1.7", kind == "1.8", kind == "1.20", kind == "1.90": // about the sender, that is us
		return conversion.BouncePolicy
	case subject == "1", code == "5.2.1":
		switch refusal.Of(said) {
		case refusal.Full, refusal.Us, refusal.Content:
			return conversion.BouncePolicy
		}
		return conversion.BounceGone
	}
	if class := spoken(said); class != "" {
		return class
	}
	if subject == "4" || strings.HasPrefix(code, "4.") {
		return conversion.BounceLate
	}
	return conversion.BouncePolicy
}
