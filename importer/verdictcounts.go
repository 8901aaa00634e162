package importer

import (
	"cmp"
	"slices"

	"bascule/internal/workbook"
	"bascule/sql"
)

// verdictCounts counts rows by verdict and reason, whatever the cells of further
// problems. There may be as many reasons as rows: those beyond maxReasons are counted
// together (I8).
type verdictCounts map[verdictReason]int

type verdictReason struct{ kind, reason string }

const (
	maxReasons   = 1000
	otherReasons = "autres motifs"
	summaryWidth = 100 // of the reasons, in characters
	countFormat  = "[$-40C]#,##0"
)

func (c verdictCounts) add(v sql.Verdict) {
	of := verdictReason{v.Kind, furtherCell.ReplaceAllString(v.Reason, "\u00a0;")}
	if _, ok := c[of]; !ok && len(c) >= maxReasons {
		of.reason = otherReasons
	}
	c[of]++
}

// writeSummary writes the first sheet: how many rows have which verdict, and why. It
// has no heading of a list, so it is never taken for one.
func (b *verdictBook) writeSummary(file string, dryRun bool) {
	total := b.Style(workbook.Style{Format: countFormat, Bold: true, Line: "top", LineInk: "1F3864"})
	note := workbook.Style{Ink: "5A6470"}
	out := b.Sheet(b.summary, workbook.Layout{Columns: []workbook.Column{{Width: 14, Style: textStyle}, {Width: summaryWidth, Style: textStyle}, {Width: 12, Style: textStyle}}})
	out.Texts(1, workbook.Style{Size: 16, Bold: true, Ink: "1F3864"}, "Verdicts de l’import")
	out.Texts(2, note, file)
	out.Texts(3, note, b.counts.advice(dryRun))
	out.Texts(5, headerStyle, "Verdict", "Motif", "Lignes")
	line, all := 5, 0
	row := func(height float64, cells ...workbook.Cell) {
		line++
		out.Row(line, height)
		for i, c := range cells {
			out.Put(i+1, c)
		}
	}
	for _, v := range verdictKinds {
		for _, of := range b.counts.largest(v.kind) {
			n, why, look := b.counts[of], cmp.Or(of.reason, "sans remarque"), b.looks[v.kind]
			count := look.Style
			count.Format = countFormat
			row(heightOf(why, summaryWidth), workbook.Text(v.french).In(look.number), workbook.Text(workbook.Cut(why)).In(look.reason), workbook.Number(int64(n)).In(b.Style(count)))
			all += n
		}
	}
	row(0, workbook.Text("Total").In(total), workbook.Cell{}.In(total), workbook.Number(int64(all)).In(total))
	out.End()
}

// advice is what to do with the rejected rows. After a dry run the list itself is
// corrected: it is the one to be imported.
func (c verdictCounts) advice(dryRun bool) string {
	rejected := len(c.largest("rejected")) > 0
	switch {
	case dryRun && rejected:
		return "Contrôle à blanc, rien n’est enregistré. Corrigez les lignes rejetées dans votre liste, puis contrôlez-la de nouveau."
	case dryRun:
		return "Contrôle à blanc, rien n’est enregistré. Aucune ligne n’est rejetée : vous pouvez importer votre liste."
	case rejected:
		return "Corrigez les lignes rejetées dans la feuille suivante, sans ajouter ni supprimer de ligne, puis importez ce classeur."
	}
	return "Aucune ligne n’est rejetée."
}

// largest lists the reasons of a verdict, the most frequent first.
func (c verdictCounts) largest(kind string) []verdictReason {
	var list []verdictReason
	for of := range c {
		if of.kind == kind {
			list = append(list, of)
		}
	}
	slices.SortFunc(list, func(a, b verdictReason) int { return cmp.Or(c[b]-c[a], cmp.Compare(a.reason, b.reason)) })
	return list
}
