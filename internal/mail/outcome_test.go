package mail

import (
	"fmt"
	"strings"
	"testing"
)

var allStages = []Stage{StageConnect, StageEhlo, StageTLS, StageAuth, StageMail, StageRcpt, StageData, StageDot}

// D11 as written.
func TestJudge(t *testing.T) {
	early := []Stage{StageConnect, StageEhlo, StageTLS, StageAuth, StageMail}
	late := []Stage{StageRcpt, StageData, StageDot}
	for _, c := range []struct {
		stages   []Stage
		codes    []int
		enhanced []string
		want     Kind
	}{
		{early, []int{400, 421, 450, 451, 454, 500, 530, 535, 550, 554}, []string{"", "4.3.0", "5.1.1", "5.2.2", "5.7.1"}, Us},
		{late, []int{421, 530, 535}, []string{"", "4.3.2", "5.1.1", "5.7.0"}, Us},
		{[]Stage{StageRcpt, StageDot}, []int{500, 550, 552, 553, 554, 556}, []string{"5.1.0", "5.1.1", "5.1.2", "5.1.10", "5.2.0", "5.2.1", "5.2.2"}, Person},
		{[]Stage{StageRcpt, StageDot}, []int{500, 550, 552, 554}, []string{"", "5.0.0", "5.3.4", "5.4.4", "5.7.1", "5.10.1", "5.1.7", "5.1.8", "4.1.1"}, Unclear},
		{[]Stage{StageData}, []int{500, 503, 550, 554}, []string{"", "5.1.1", "5.2.2", "5.7.1"}, Unclear},
		{late, []int{400, 450, 451, 452}, []string{"", "4.1.1", "4.2.2", "5.1.1", "4.7.1"}, Later},
		{[]Stage{StageDot}, []int{200, 250, 251}, []string{"", "2.0.0"}, Accepted},
		{[]Stage{StageDot}, []int{100, 354}, []string{"", "5.1.1"}, InDoubt},
		{[]Stage{StageRcpt, StageData}, []int{100, 350}, []string{""}, NotSent},
		{[]Stage{StageData}, []int{250}, []string{""}, NotSent},
	} {
		for _, stage := range c.stages {
			for _, code := range c.codes {
				for _, enhanced := range c.enhanced {
					if got := judge(stage, code, enhanced); got != c.want {
						t.Errorf("judge(%s, %d, %q) = %v, want %v", stage, code, enhanced, got, c.want)
					}
				}
			}
		}
	}
}

// D11: the table is total, and nobody is given up for a fault of ours.
func TestJudgeIsTotal(t *testing.T) {
	for _, stage := range allStages {
		for code := 100; code < 600; code++ {
			for _, enhanced := range []string{"", "2.0.0", "4.1.1", "5.1.1", "5.2.3", "5.1.8", "5.7.1"} {
				got := judge(stage, code, enhanced)
				name := fmt.Sprintf("judge(%s, %d, %q) = %v", stage, code, enhanced, got)
				if got == 0 {
					t.Error(name)
				}
				if got == Person && (code/100 != 5 || code == 530 || code == 535 || stage != StageRcpt && stage != StageDot) {
					t.Error(name)
				}
				if got == Accepted && (stage != StageDot || code/100 != 2) {
					t.Error(name)
				}
				if (got == InDoubt) != (stage == StageDot && (code/100 == 1 || code/100 == 3)) {
					t.Error(name)
				}
			}
		}
	}
}

// D11: what a broken connection means depends on the stage alone.
func TestLost(t *testing.T) {
	for _, stage := range allStages {
		want := map[Stage]Kind{StageRcpt: NotSent, StageData: NotSent, StageDot: InDoubt}[stage]
		if want == 0 {
			want = Us
		}
		if got := lost(stage, errReply); got.Kind != want {
			t.Errorf("lost at %s: %v", stage, got.Kind)
		}
	}
}

// I6: the relay's words are kept without any address, link or code, on one short line.
func TestSafeText(t *testing.T) {
	about := email(t, "Jeanne.Martin@client.example")
	for in, want := range map[string]string{
		"queued as 4XyZ12":                              "queued as 4XyZ12",
		"<Jeanne.Martin@client.example>: unknown":       "[e-mail] unknown",
		"user jeanne.martin unknown":                    "user [e-mail] unknown",
		"no such user 'JEANNE.MARTIN'.":                 "no such user [e-mail]",
		"other@else.example and a@b":                    "[e-mail] and [e-mail]",
		"blocked https://x.example/a#adresse=j%40c.ex&": "blocked [e-mail]",
		"adresse=3Djeanne=40client.example":             "[e-mail]",
		"your code 7K3M-Q9XT-2HBD":                      "your code [code]",
		"at https://x.example/#code=7k3m-q9xt-2hbd.":    "at [code]",
		"id 7c9e6679-7425-40de-944b-e07fc1f90ae7":       "id 7c9e6679-7425-40de-944b-e07fc1f90ae7",
		"a\r\nb\x00c\u2028d\xffe":                       "a b c d?e",
	} {
		if got := safeText(in, about); got != want {
			t.Errorf("safeText(%q) = %q, want %q", in, got, want)
		}
	}
	if got := []rune(safeText(strings.Repeat("é", 500))); len(got) != maxText {
		t.Errorf("%d characters kept", len(got))
	}
}

// I6: no outcome tells an address or a code that the relay repeats, at any stage.
func TestOutcomesTellNothing(t *testing.T) {
	words := " <client1@client.example> client1 m1@us.example code 7K3M-Q9XT-2HBD"
	for _, stage := range []Stage{StageMail, StageRcpt, StageData, StageDot} {
		for _, answer := range []string{"550 5.1.1", "451", "421", "354", "554-5.7.1 client1@client.example\r\n554"} {
			s := &toy{answer: at(1, stage, answer+words)}
			for _, o := range send(t.Context(), t, s.relay(t, Config{}, 1), window(t, 2)) {
				said := o.String() + o.LogValue().String()
				if strings.Contains(said, "client1") || strings.Contains(said, "@") || strings.Contains(said, "7K3M") {
					t.Errorf("%s %s: %s", stage, answer, said)
				}
			}
		}
	}
}

func TestReadEnhanced(t *testing.T) {
	for in, want := range map[string]Outcome{
		"550 5.1.1 unknown":                   {Kind: Person, Code: 550, Enhanced: "5.1.1", Text: "unknown"},
		"550-5.1.1 unknown\r\n550 5.1.1 here": {Kind: Person, Code: 550, Enhanced: "5.1.1", Text: "unknown here"},
		"550-sorry\r\n550 5.2.1 closed":       {Kind: Person, Code: 550, Enhanced: "5.2.1", Text: "sorry closed"},
		"550 5.1 unknown":                     {Kind: Unclear, Code: 550, Text: "5.1 unknown"},
		"550 10.1.1.1 is listed":              {Kind: Unclear, Code: 550, Text: "10.1.1.1 is listed"},
		"550 5.1.1.1 is listed":               {Kind: Unclear, Code: 550, Text: "5.1.1.1 is listed"},
		"550":                                 {Kind: Unclear, Code: 550},
	} {
		want.Stage = StageRcpt
		s := &toy{answer: at(0, StageRcpt, in)}
		if got := send(t.Context(), t, s.relay(t, Config{}, 1), window(t, 1))[0]; got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}
