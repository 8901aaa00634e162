package gate

import (
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// I9: the list of events in docs/operations/watch.md is what bascule writes into the
// audit log, no event more and none less.
func TestDocsNameEvents(t *testing.T) {
	told, written := toldEvents(t), writtenEvents(t)
	for _, event := range written {
		if !slices.Contains(told, event) {
			t.Errorf("docs/operations/watch.md does not tell the event %q", event)
		}
	}
	for _, event := range told {
		if !slices.Contains(written, event) {
			t.Errorf("docs/operations/watch.md tells the event %q, which nothing writes", event)
		}
	}
}

// toldEvents are those with which an item begins, several in one, and KIND for each of
// the kinds that the sentence below the items lists.
func toldEvents(t *testing.T) (events []string) {
	t.Helper()
	_, items, found := strings.Cut(document(t, "docs/operations/watch.md"), "\n\nThe actor is ")
	items, below, ends := strings.Cut(items, "\n\nKIND is ")
	if !found || !ends {
		t.Fatal("docs/operations/watch.md has no list of events with the kinds below it")
	}
	kinds, _, _ := strings.Cut(below, ".")
	for _, item := range regexp.MustCompile(`(?m)^- ([^:]*)`).FindAllStringSubmatch(items, -1) {
		for _, event := range regexp.MustCompile(`,\s`).Split(item[1], -1) {
			event = strings.Trim(event, "`")
			suffix, each := strings.CutPrefix(event, "KIND")
			if !each {
				events = append(events, event)
				continue
			}
			for _, kind := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(kinds, -1) {
				events = append(events, kind[1]+suffix)
			}
		}
	}
	return events
}

const intoAudit = "INSERT INTO audit (at, space_id, request_id, event, actor, why)"

// writtenEvents are those of the statements and of the schema's functions.
func writtenEvents(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(os.DirFS(root), "sql/query/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no statements: %v", err)
	}
	events := make(map[string]bool)
	for _, name := range append(files, "sql/migrations/00001_schema.sql") {
		text := document(t, name)
		parts := strings.Split(text, intoAudit)
		if strings.Count(text, "INSERT INTO audit") != len(parts)-1 {
			t.Errorf("%s: an entry that does not begin with %s", name, intoAudit)
		}
		for _, part := range parts[1:] {
			end := regexp.MustCompile(`(?m)^\s*\)|^\s*RETURNING|;`).FindStringIndex(part + ";")
			for _, entry := range strings.Split(part[:min(end[0], len(part))], "UNION ALL") {
				found := eventsOf(t, text, eventColumn(entry))
				if len(found) == 0 {
					t.Errorf("%s: which event is %s?", name, eventColumn(entry))
				}
				for _, event := range found {
					events[event] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(events))
}

// eventColumn is the fourth of what a statement selects.
func eventColumn(entry string) string {
	_, list, _ := strings.Cut(entry, "SELECT ")
	var column strings.Builder
	depth, commas := 0, 0
	for _, r := range list {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				commas++
				continue
			}
		}
		if commas == 3 {
			column.WriteRune(r)
		}
	}
	return strings.TrimSpace(column.String())
}

// eventsOf are the events that an expression may be: its texts, one of them for
// each kind of mail that has no word of its own.
func eventsOf(t *testing.T, statement, expression string) (events []string) {
	t.Helper()
	if expression == "event" { // worked out before
		expression = regexp.MustCompile(`(?s)CASE.*?END AS event`).FindString(statement)
	}
	if strings.HasPrefix(expression, "$") {
		return refusals(t)
	}
	for _, text := range regexp.MustCompile(`(?:^|THEN|ELSE)\s+(?:(?:\w+\.)?(kind) \|\| )?'([a-z -]+)'`).FindAllStringSubmatch(" "+expression, -1) {
		if text[1] == "" {
			events = append(events, text[2])
			continue
		}
		for _, kind := range mailKinds(t) {
			if kind != "code" || text[2] != " mailed" {
				events = append(events, kind+text[2])
			}
		}
	}
	return events
}

// mailKinds are the kinds of obligations except the recap, which is no mail.
func mailKinds(t *testing.T) (kinds []string) {
	t.Helper()
	_, table, _ := strings.Cut(document(t, "sql/migrations/00001_schema.sql"), "CREATE TABLE obligation")
	list := regexp.MustCompile(`CHECK \(kind IN \(([^)]*)\)`).FindStringSubmatch(table)
	if list == nil {
		t.Fatal("the schema lists no kinds of obligations")
	}
	for _, kind := range regexp.MustCompile(`'([a-z-]+)'`).FindAllStringSubmatch(list[1], -1) {
		if kind[1] != "recap" {
			kinds = append(kinds, kind[1])
		}
	}
	return kinds
}

// refusals are the events of wrong guesses that the code names.
func refusals(t *testing.T) (events []string) {
	t.Helper()
	for _, s := range sources(t) {
		if s.pkg != "sql" || s.test {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if c, ok := n.(*ast.CompositeLit); ok && isIdent(c.Type, "Refusal") {
				if event, ok := literal(c.Elts[0]); ok {
					events = append(events, event)
				}
			}
			return true
		})
	}
	return events
}
