package importer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// D13: the optional column tells in which order rows are mailed. An empty cell says
// nothing. Anything but a digit from 1 to 9 is rejected, with its cell.
func TestPriority(t *testing.T) {
	var b strings.Builder
	b.WriteString("numéro d'abonné;titulaire;adresse électronique;numéro de série;date d'expiration;priorité\n")
	for _, p := range []string{"1", " 9 ", "", "0", "10", "haute", "-1", "١"} {
		b.WriteString("00123456;Anne Durand;anne@exemple.example;A1;31/12/2099;" + p + "\n")
	}
	f, err := Open(t.Context(), write(t, "list.csv", []byte(b.String())), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var priorities []int
	var cells []string
	for r, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		priorities, cells = append(priorities, r.Priority), append(cells, r.Cell)
		if r.Reason != "" && !strings.HasPrefix(r.Reason, "priorité invalide\u00a0: un chiffre de 1") {
			t.Errorf("line %d: %s", r.Line, r.Reason)
		}
	}
	if diff := cmp.Diff([]int{1, 9, 0, 0, 0, 0, 0, 0}, priorities); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "", "", "F5", "F6", "F7", "F8", "F9"}, cells); diff != "" {
		t.Error(diff)
	}
}
