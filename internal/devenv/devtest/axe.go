package devtest

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// A Violation is an element that breaks a rule of accessibility.
type Violation struct {
	ID      string `json:"id"`      // of the rule, as in axe-core's documentation
	Impact  string `json:"impact"`  // minor, moderate, serious or critical
	Help    string `json:"help"`    // the rule in one line
	Summary string `json:"summary"` // how to repair it, with what was measured
	Target  string `json:"target"`  // a CSS selector of the element
	HTML    string `json:"html"`    // the element, abridged
}

func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n%s\n%s\n%s", v.ID, v.Impact, v.Help, v.Target, v.HTML, v.Summary)
}

// Axe judges the page that the browser shows, as it looks now, by these rules of axe-core
// alone, or by all if none is named: WCAG 2.2 up to AAA, best practices, and experimental
// rules. It leaves out the rules that axe-core calls deprecated. A result that axe-core
// leaves to a human eye is no violation, and frames are not seen. The page's policy for
// scripts does not matter. In the page, window.axe is left behind.
func Axe(t testing.TB, browser context.Context, only ...string) []Violation {
	t.Helper()
	program, err := axeFiles.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("axe-core: %v; make test installs it (npm ci in internal/devenv/devtest/axe)", err)
	}
	there, err := chromedp.Run(browser, chromedp.Evaluate[bool](`!!window.axe`))
	if err != nil {
		t.Fatalf("axe-core: %v", err)
	}
	if there { // the page was judged before, in another look
		program = nil
	}
	rules, err := json.Marshal(append([]string{}, only...))
	if err != nil {
		t.Fatal(err)
	}
	found, err := chromedp.Run(browser, chromedp.Evaluate[[]Violation](
		fmt.Sprintf("%s;\n(%s)(%s)", program, findViolations, rules), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("axe-core: %v", err)
	}
	return found
}

// axeFiles hold axe-core if npm has installed it; a test that needs it says so
// if not. What is embedded is found from every package's tests.
//
//go:embed axe
var axeFiles embed.FS

// findViolations runs axe-core and returns its violations, one for
// each element. A target is a list of selectors; a list within it has one for each
// shadow tree.
const findViolations = `async only => {
	const wanted = axe.getRules().filter(r => only.length ? only.includes(r.ruleId) : !r.tags.includes('deprecated'));
	const { violations } = await axe.run(document, {
		runOnly: { type: 'rule', values: wanted.map(r => r.ruleId) },
		resultTypes: ['violations'],
		iframes: false,
	});
	return violations.flatMap(v => v.nodes.map(n => ({
		id: v.id, impact: n.impact, help: v.help, summary: n.failureSummary, target: n.target.flat().join(' '), html: n.html,
	})));
}`
