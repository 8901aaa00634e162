package readiness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// A Sender has the names about which mailboxes ask DNS.
type Sender struct {
	From     string // domain of MAIL_FROM
	Return   string // domain of the return path; may be the same
	Selector string // of DKIM; "" if none is named
}

// DNS asks for the records that prove mails of the sender genuine: SPF for the return
// path and the sender, DMARC, and the key of DKIM if its selector is named.
func DNS(ctx context.Context, r *net.Resolver, s Sender) []Line {
	d := lookup{ctx, r}
	domains := []string{s.From}
	if s.Return != s.From {
		domains = append(domains, s.Return)
	}
	if isReserved(s.From) {
		why := "nobody asks DNS about " + s.From + ", a name for trials"
		return []Line{Doubtful("spf", why, ownDomain), Doubtful("dmarc", why, ownDomain)}
	}
	lines := []Line{d.spf(domains), d.dmarc(s.From)}
	if s.Selector != "" {
		lines = append(lines, d.dkim(s.Selector+"._domainkey."+s.From))
	}
	return lines
}

const ownDomain = "a real campaign has a MAIL_FROM of the administration's own domain"

// isReserved tells the names about which no resolver asks DNS (RFC 6761).
func isReserved(domain string) bool {
	return slices.Contains([]string{"test", "invalid", "localhost"}, domain[strings.LastIndexByte(domain, '.')+1:])
}

type lookup struct {
	ctx      context.Context
	resolver *net.Resolver
}

// txt returns the records of a name; none if the name does not exist. After an error
// nobody knows.
func (d lookup) txt(name string) ([]string, error) {
	records, err := d.resolver.LookupTXT(d.ctx, name+".") // as it is, without a search list
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return nil, nil
	}
	return records, err
}

// tagged returns the records of a name that begin with a tag, as txt does.
func (d lookup) tagged(name, tag string) ([]string, error) {
	records, err := d.txt(name)
	return slices.DeleteFunc(records, func(r string) bool { return !begins(r, tag) }), err
}

// begins tells whether a record begins with a tag, and a blank, a semicolon or nothing
// follows.
func begins(record, tag string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(record), tag)
	return ok && (rest == "" || strings.ContainsRune(" \t;", rune(rest[0])))
}

// unanswered is a line about a question that nobody answered.
func unanswered(name, domain string) Line {
	return Doubtful(name, "no resolver answered about "+domain, "look at the resolver of this machine, then check again")
}

func (d lookup) spf(domains []string) Line {
	const name = "spf"
	for _, domain := range domains {
		found, err := d.tagged(domain, "v=spf1")
		switch {
		case err != nil:
			return unanswered(name, domain)
		case len(found) == 0:
			return Bad(name, domain+" has no record", "have a TXT record v=spf1 made there, which names the relay")
		case len(found) > 1:
			return Bad(name, fmt.Sprintf("%s has %d records: none counts", domain, len(found)), "leave one TXT record v=spf1 there")
		}
	}
	return Good(name, strings.Join(domains, ", ")+": there is a record")
}

// dmarc looks at the domain, then at the domains above it.
func (d lookup) dmarc(domain string) Line {
	const name = "dmarc"
	for at := domain; strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
		found, err := d.tagged("_dmarc."+at, "v=DMARC1")
		switch {
		case err != nil:
			return unanswered(name, "_dmarc."+at)
		case len(found) > 1:
			return Bad(name, fmt.Sprintf("_dmarc.%s has %d records: none counts", at, len(found)), "leave one TXT record v=DMARC1 there")
		case len(found) == 1:
			return Good(name, "_dmarc."+at+" has a policy")
		}
	}
	return Bad(name, "_dmarc."+domain+" has no record", "have a TXT record v=DMARC1 made there")
}

func (d lookup) dkim(domain string) Line {
	const name = "dkim"
	found, err := d.txt(domain)
	switch {
	case err != nil:
		return unanswered(name, domain)
	case len(found) == 0:
		return Bad(name, domain+" has no record", "have the key of the relay published there, or set DKIM_SELECTOR to the right selector")
	case !slices.ContainsFunc(found, hasKey):
		return Bad(name, domain+" has no key, or one that was taken back", "have the key of the relay published there")
	}
	return Good(name, domain+" has a key")
}

// hasKey tells whether a record of DKIM holds a key. An empty key was taken back.
func hasKey(record string) bool {
	for field := range strings.SplitSeq(record, ";") {
		if key, ok := strings.CutPrefix(strings.TrimSpace(field), "p="); ok {
			return strings.TrimSpace(key) != ""
		}
	}
	return false
}
