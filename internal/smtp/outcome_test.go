package smtp

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"bascule/internal/devenv/devtest"
)

var allStages = []Stage{StageConnect, StageEhlo, StageTLS, StageAuth, StageMail, StageRcpt, StageData, StageDot}

// D11 as written.
func TestClassify(t *testing.T) {
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
		{[]Stage{StageRcpt, StageDot}, []int{500, 550, 552, 553, 554, 556}, []string{"5.1.0", "5.1.1", "5.1.2", "5.1.10", "5.2.0", "5.2.1", "5.2.4"}, Person},
		{[]Stage{StageRcpt, StageDot}, []int{500, 550, 552, 554}, []string{"5.2.2"}, Later}, // a mailbox that is full
		{[]Stage{StageRcpt, StageDot}, []int{500, 550, 552, 554}, []string{"", "5.0.0", "5.3.4", "5.4.4", "5.7.1", "5.10.1", "5.1.7", "5.1.8", "5.1.20", "5.1.90", "5.2.3", "5.2.5", "5.2.20", "5.20.0", "4.1.1", "4.2.2", "2.1.5"}, Unclear},
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
					if got := classify(stage, code, enhanced); got != c.want {
						t.Errorf("classify(%s, %d, %q) = %v, want %v", stage, code, enhanced, got, c.want)
					}
				}
			}
		}
	}
}

// D11: the table is total, and nobody is given up for a fault of ours.
func TestClassifyIsTotal(t *testing.T) {
	for _, stage := range allStages {
		for code := 100; code < 600; code++ {
			for _, enhanced := range []string{"", "2.0.0", "4.1.1", "5.1.1", "5.2.2", "5.2.3", "5.1.8", "5.7.1"} {
				got := classify(stage, code, enhanced)
				name := fmt.Sprintf("classify(%s, %d, %q) = %v", stage, code, enhanced, got)
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

// D11: the meaning of a broken connection depends on the stage alone.
func TestBrokenOff(t *testing.T) {
	for _, stage := range allStages {
		want := map[Stage]Kind{StageRcpt: NotSent, StageData: NotSent, StageDot: InDoubt}[stage]
		if want == 0 {
			want = Us
		}
		if got := brokenOff(stage, errReply); got.Kind != want {
			t.Errorf("lost at %s: %v", stage, got.Kind)
		}
	}
}

// I6: the relay's words are kept without any address, link or secret, on one short line.
func TestSanitize(t *testing.T) {
	about := Message{Envelope: Envelope{From: devtest.Email(t, "retour@us.example"), To: devtest.Email(t, "Jeanne.Martin@client.example")}, Secret: "7K3M-Q9XT-2HBD"}
	for in, want := range map[string]string{
		"queued as 4XyZ12":                              "queued as 4XyZ12",
		"<Jeanne.Martin@client.example>: unknown":       "[e-mail] unknown",
		"user jeanne.martin unknown":                    "user [e-mail] unknown",
		"no such user 'JEANNE.MARTIN'.":                 "no such user [e-mail]",
		"other@else.example and a@b":                    "[e-mail] and [e-mail]",
		"jeanne＠client.example unknown":                 "[e-mail] unknown",
		"blocked https://x.example/a#adresse=j%40c.ex&": "blocked [e-mail]",
		"adresse=3Djeanne=40client.example":             "[e-mail]",
		"from 'retour', refused":                        "from [e-mail] refused",
		"your code 7K3M-Q9XT-2HBD":                      "your code [secret]",
		"at https://x.example/#code=7k3m-q9xt-2hbd.":    "at [secret]",
		"id 7c9e6679-7425-40de-944b-e07fc1f90ae7":       "id 7c9e6679-7425-40de-944b-e07fc1f90ae7",
		"a\r\nb\x00c\u2028d\xffe":                       "a b c d?e",
	} {
		if got := sanitize(in, about); got != want {
			t.Errorf("sanitize(%q) = %q, want %q", in, got, want)
		}
	}
	if got := sanitize("no one , here", Message{}); got != "no one , here" {
		t.Errorf("without a message: %q", got)
	}
	braced := Message{Envelope: Envelope{To: devtest.Email(t, "{jeanne}@client.example")}}
	if got := sanitize("no <{jeanne}> here", braced); got != "no [e-mail] here" {
		t.Errorf("braces of the address itself: %q", got)
	}
	if got := []rune(sanitize(strings.Repeat("é", 500), Message{})); len(got) != maxText {
		t.Errorf("%d characters kept", len(got))
	}
}

// I6: no outcome tells an address or a secret that the relay repeats, at any stage.
func TestOutcomesTellNothing(t *testing.T) {
	words := " <client1@client.example> client1 m1@us.example code 7K3M-Q9XT-2HBD"
	for _, stage := range []Stage{StageMail, StageRcpt, StageData, StageDot} {
		for _, answer := range []string{"550 5.1.1", "451", "421", "354", "554-5.7.1 client1@client.example\r\n554"} {
			s := &toy{answer: at(1, stage, answer+words)}
			w := messages(t, 2)
			w[1].Secret = "7K3M-Q9XT-2HBD"
			for _, o := range send(t.Context(), t, s.relay(t, Config{}, 1), w) {
				said := o.String() + o.LogValue().String()
				if strings.Contains(said, "client1") || strings.Contains(said, "@") || strings.Contains(said, "7K3M") {
					t.Errorf("%s %s: %s", stage, answer, said)
				}
			}
		}
	}
}

// A line is a reply's if it begins with a code of RFC 5321 and what may follow one.
func TestParseReplyLine(t *testing.T) {
	for line, want := range map[string]string{
		"250 ok": "250 true ok true", "250": "250 true  true", "250-ok": "250 false ok true", "550\tno": "550 true no true", "550no": "550 true no true",
		"": "0 false  false", "25": "0 false  false", "050 x": "0 false  false", "650 x": "0 false  false", "2a0 x": "0 false  false", "2500 x": "0 false  false",
	} {
		code, last, text, ok := parseReplyLine(line)
		if got := fmt.Sprint(code, " ", last, " ", text, " ", ok); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// D11: the status code is read in all known places and forms of relays. A text that
// only looks like one is words.
func TestReadEnhanced(t *testing.T) {
	for in, want := range map[string]Outcome{
		"550 5.1.1 unknown":                           {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550-5.1.1 unknown\r\n550 5.1.1 here":         {Kind: Person, Enhanced: "5.1.1", Text: "unknown here"},
		"550-sorry\r\n550 5.2.1 closed":               {Kind: Person, Enhanced: "5.2.1", Text: "sorry closed"},
		"550-sorry\r\n550 (#5.2.1)":                   {Kind: Person, Enhanced: "5.2.1", Text: "sorry"},
		"550-5.1.1 unknown\r\n550":                    {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550\t5.1.1\tunknown":                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550   5.1.1":                                 {Kind: Person, Enhanced: "5.1.1"},
		"550 5.1.1, unknown":                          {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 5.1.1. Unknown":                          {Kind: Person, Enhanced: "5.1.1", Text: "Unknown"},
		"550 5.1.1.":                                  {Kind: Person, Enhanced: "5.1.1"},
		"550 5.1.1;unknown":                           {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 5.1.1:unknown":                           {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 5.1.1 - unknown":                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 [5.1.1] unknown":                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 <5.1.1> unknown":                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 (#5.1.1) unknown":                        {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		`550 "5.1.1" unknown`:                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 # 5.1.1 unknown":                         {Kind: Person, Enhanced: "5.1.1", Text: "unknown"},
		"550 sorry, no such name (#5.1.1 - chkuser)":  {Kind: Person, Enhanced: "5.1.1", Text: "sorry, no such name (#5.1.1 - chkuser)"},
		"550 status: 5.1.1":                           {Kind: Person, Enhanced: "5.1.1", Text: "status: 5.1.1"},
		"550 code 5.1.1":                              {Kind: Person, Enhanced: "5.1.1", Text: "code 5.1.1"},
		"550 the next server said dsn=5.1.1":          {Kind: Person, Enhanced: "5.1.1", Text: "the next server said dsn=5.1.1"},
		"550 Error: 5.1.1 unknown":                    {Kind: Person, Enhanced: "5.1.1", Text: "Error: 5.1.1 unknown"},
		"550 the next server said: 550 5.1.1 unknown": {Kind: Person, Enhanced: "5.1.1", Text: "the next server said: 550 5.1.1 unknown"},
		"552 mailbox full (#5.2.2)":                   {Kind: Later, Code: 552, Enhanced: "5.2.2", Text: "mailbox full (#5.2.2)"},

		// Lines that disagree: nobody is given up while another reason is named,
		// whatever the order. 5.0.0 names none.
		"550-5.1.1 unknown\r\n550 5.7.1 or blocked":    {Kind: Unclear, Enhanced: "5.7.1", Text: "unknown or blocked"},
		"550-5.7.1 blocked\r\n550 5.1.1 or unknown":    {Kind: Unclear, Enhanced: "5.7.1", Text: "blocked or unknown"},
		"550-5.0.0 no\r\n550 5.1.1 unknown":            {Kind: Person, Enhanced: "5.1.1", Text: "no unknown"},
		"550-5.1.1 unknown\r\n550 5.0.0 no":            {Kind: Person, Enhanced: "5.1.1", Text: "unknown no"},
		"550-5.1.1 no\r\n550-5.2.1 no\r\n550 5.1.0 no": {Kind: Person, Enhanced: "5.1.1", Text: "no no no"},
		"550-5.1.1 unknown\r\n550 5.2.2 or full":       {Kind: Later, Enhanced: "5.2.2", Text: "unknown or full"},

		// Relays judge our address, too, and tell so at RCPT. The words say whose it is
		// where the code does not.
		"550 5.1.0 <a@b.example>: Sender address rejected: User unknown in virtual mailbox table": {Kind: Unclear, Enhanced: "5.1.0", Text: "[e-mail] Sender address rejected: User unknown in virtual mailbox table"},
		"550 5.1.0 Emetteur invalide. Invalid Sender. OFR_405":                                    {Kind: Unclear, Enhanced: "5.1.0", Text: "Emetteur invalide. Invalid Sender. OFR_405"},
		"550 5.1.1 unroutable sender address":                                                     {Kind: Unclear, Enhanced: "5.1.1", Text: "unroutable sender address"},
		"550 5.1.1 Relaying denied":                                                               {Kind: Unclear, Enhanced: "5.1.1", Text: "Relaying denied"},

		// Nor is a mailbox gone that is full or busy, or one whose server takes us for spam.
		"552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417": {Kind: Later, Code: 552, Enhanced: "5.1.1", Text: "Boite du destinataire pleine. Recipient overquota. OFR_417"},
		"550 user over quota. (#5.1.1)":                                        {Kind: Later, Enhanced: "5.1.1", Text: "user over quota. (#5.1.1)"},
		"550 5.2.1 is receiving mail at a rate that prevents more":             {Kind: Later, Enhanced: "5.2.1", Text: "is receiving mail at a rate that prevents more"},
		"550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]":                  {Kind: Unclear, Enhanced: "5.2.0", Text: "Mail rejete. Mail rejected. ofr_506 [506]"},
		"554 5.1.0 Message rejected due to spam":                               {Kind: Unclear, Code: 554, Enhanced: "5.1.0", Text: "Message rejected due to spam"},
		"550 5.1.1 unknown user, see x.example/antispam":                       {Kind: Person, Enhanced: "5.1.1", Text: "unknown user, see x.example/antispam"},
		"550 5.1.0 Address rejected.":                                          {Kind: Person, Enhanced: "5.1.0", Text: "Address rejected."},
		"550 5.1.1 <full.mailbox.is.full@b.example> unknown":                   {Kind: Person, Enhanced: "5.1.1", Text: "[e-mail] unknown"},

		"554 5.1.0 Sender denied":                                           {Kind: Unclear, Code: 554, Enhanced: "5.1.0", Text: "Sender denied"},
		"550 5.1.0 sender rejected: SPF":                                    {Kind: Unclear, Enhanced: "5.1.0", Text: "sender rejected: SPF"},
		"550 5.1.90 you've reached your daily limit":                        {Kind: Unclear, Enhanced: "5.1.90", Text: "you've reached your daily limit"},
		"550 5.1.20 multiple From addresses":                                {Kind: Unclear, Enhanced: "5.1.20", Text: "multiple From addresses"},
		"550 5.1.1 <sender@b.example>: Recipient address rejected: unknown": {Kind: Person, Enhanced: "5.1.1", Text: "[e-mail] Recipient address rejected: unknown"},

		// The class contradicts the reply code.
		"550 4.1.1 unknown":            {Kind: Unclear, Enhanced: "4.1.1", Text: "unknown"},
		"450 5.1.1 unknown":            {Kind: Later, Code: 450, Enhanced: "5.1.1", Text: "unknown"},
		"550-5.1.1 no\r\n550 4.1.1 no": {Kind: Unclear, Enhanced: "4.1.1", Text: "no no"},

		// No status codes.
		"550 5.1 unknown":                {Kind: Unclear, Text: "5.1 unknown"},
		"550 10.1.1.1 is listed":         {Kind: Unclear, Text: "10.1.1.1 is listed"},
		"550 5.1.1.1 is listed":          {Kind: Unclear, Text: "5.1.1.1 is listed"},
		"550 [5.1.1.1] is listed":        {Kind: Unclear, Text: "[5.1.1.1] is listed"},
		"550 (host 5.1.1.9)":             {Kind: Unclear, Text: "(host 5.1.1.9)"},
		"550 5.1.1-7.dsl.example listed": {Kind: Unclear, Text: "5.1.1-7.dsl.example listed"},
		"550 5.1.1.dsl.example listed":   {Kind: Unclear, Text: "5.1.1.dsl.example listed"},
		"550 5.1.1234 odd":               {Kind: Unclear, Text: "5.1.1234 odd"},
		"550 15.1.1 odd":                 {Kind: Unclear, Text: "15.1.1 odd"},
		"550 6.1.1 odd":                  {Kind: Unclear, Text: "6.1.1 odd"},
		"550 since version 5.1.1 of it":  {Kind: Unclear, Text: "since version 5.1.1 of it"},
		"550":                            {Kind: Unclear},
		"550 ":                           {Kind: Unclear},
		"550 \x00":                       {Kind: Unclear},
		"550 a\x00b":                     {Kind: Unclear, Text: "a b"},
	} {
		want.Stage = StageRcpt
		if want.Code == 0 {
			want.Code = 550
		}
		s := &toy{answer: at(0, StageRcpt, in)}
		if got := send(t.Context(), t, s.relay(t, Config{}, 1), messages(t, 1))[0]; got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

// D11: replies as relays in the field write them: all of them name a dead address.
func TestReadOrnaments(t *testing.T) {
	replies, err := os.ReadFile("testdata/ornamented_replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for in := range strings.Lines(string(replies)) {
		s := &toy{answer: at(0, StageRcpt, strings.TrimSpace(in))}
		if got := send(t.Context(), t, s.relay(t, Config{}, 1), messages(t, 1))[0]; got.Kind != Person {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// RFC 5321: any reply that begins with 2 accepts, at RCPT and at the dot, in any form
// and of any length. An accepted mail is not sent again.
func TestAcceptance(t *testing.T) {
	for _, answer := range []string{
		"250", "250 ", "250 ok", "250\tok", "250\t2.1.5\tok", "250-one\r\n250-two\r\n250 three", "250-\r\n250", "250-one\r\n250\tok",
		"251 will forward", "251", "252 cannot verify", "200 ok", "299 fine", "250ok", "250=ok", "250 \x00", "250 2.6.0 <1@us.example> Queued",
		"250-ok\n250 ok", "250 " + strings.Repeat("x", 3*maxReplyLine), "250-" + strings.Repeat("x\r\n250-", 300) + "\r\n250 ok",
	} {
		for _, stage := range []Stage{StageRcpt, StageDot} {
			s := &toy{answer: at(0, stage, answer)}
			w := messages(t, 2)
			if got := send(t.Context(), t, s.relay(t, Config{}, 1), w); kinds(got) != "accepted accepted" || s.copies(t, w) != "0 1" || s.conns != 1 {
				t.Errorf("%.40q at %s: %v, over %d connections", answer, stage, got, s.conns)
			}
		}
	}
}

// A wrong password is the operator's to mend: the log and status say so in words.
func TestRefusedPasswordReadsAsASentence(t *testing.T) {
	o := Outcome{Kind: Us, Stage: StageAuth, Code: 535, Enhanced: "5.7.8", Text: "authentication failed"}
	if got, want := o.String(), "the relay refused user and password of SMTP_URL (535 5.7.8) authentication failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	o.Code = 454
	if got, want := o.String(), "us at auth 454 5.7.8 authentication failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	o.Code, o.Enhanced = 535, ""
	if got, want := o.String(), "the relay refused user and password of SMTP_URL (535) authentication failed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
