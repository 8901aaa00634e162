package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// A counter is where an administrator types commands about one subscriber, on a
// database of its own.
type counter struct {
	*sqltest.DB
	t      *testing.T
	keys   *conversion.Keyring
	number conversion.SubscriberNumber
}

// bascule runs a command in this process.
func (c *counter) bascule(args ...string) (exit int, stdout, stderr string) {
	env := map[string]string{"DATABASE_URL": c.URL, "SECRET_KEY": storyKey}
	var out, errs strings.Builder
	exit = run(c.t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errs)
	return exit, out.String(), errs.String()
}

// importWith imports the space with an address and returns the output.
func (c *counter) importWith(address string) string {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "list.csv")
	text := fmt.Sprintf("subscriber number,holder,email,serial number,expiry date\n%s,Anne Durand,%s,%x,31/12/2099\n", c.number, address, c.number)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	exit, stdout, stderr := c.bascule("import", path, "--start", "--json")
	if exit != exitDone {
		c.t.Fatalf("the import ended with %d: %s", exit, stderr)
	}
	return stdout
}

func (c *counter) request() (id int64) {
	c.t.Helper()
	if err := c.Raw.QueryRow(`SELECT max(r.id) FROM request r JOIN space s ON s.id = r.space_id WHERE s.number = $1`, c.number).Scan(&id); err != nil {
		c.t.Fatal(err)
	}
	return id
}

func (c *counter) mail()         { c.Mail(c.t, c.keys, c.request()) }
func (c *counter) set(do string) { c.Exec(c.t, `UPDATE request SET `+do+` WHERE id = $1`, c.request()) }
func (c *counter) overdue()      { c.Overdue(c.t, c.request()) }
func (c *counter) expire()       { c.overdue(); c.set(`expired_at = bascule_now()`) }
func (c *counter) bounce() {
	c.Exec(c.t, `UPDATE code c SET bounced_at = bascule_now(), bounce = 'gone' FROM request r
		WHERE r.id = $1 AND c.request_id = r.id AND c.generation = r.generation`, c.request())
}
func (c *counter) move() {
	c.Exec(c.t, `UPDATE space SET contact_email = 'moved@exemple.example', contact_key = 'moved@exemple.example' WHERE number = $1`, c.number)
}
func (c *counter) choose(address string) {
	c.Exec(c.t, `INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
		SELECT request_id, 2, 'activate', $2, $2, key_id, nonce FROM code WHERE request_id = $1`, c.request(), address)
	c.set(`generation = 2, password_hash = 'h', question = 'q', answer_hash = 'h'`)
	c.mail()
}
func (c *counter) cancel() {
	c.t.Helper()
	if exit, _, stderr := c.bascule("cancel", string(c.number)); exit != exitDone {
		c.t.Fatal(stderr)
	}
}

// contact is the address that the spaces of these tests are imported with.
const contact = "anne@exemple.example"

// C7, D3, D10: the commands that show proposes succeed, whatever became of a
// subscriber. Each alternative is tried on a space in that state, and each of its
// commands must succeed. If show proposes nothing, nothing can be done.
func TestShowProposesWhatIsGranted(t *testing.T) {
	db := sqltest.Open(t)
	keys, err := conversion.ParseKeyring(storyKey)
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		name string
		go_  func(c *counter)
		next string // show proposes these at least
	}{
		{"requested", func(*counter) {}, "wait"},
		{"mailed", func(c *counter) { c.mail() }, "bascule resend"},
		{"mailed, sent again three times", func(c *counter) {
			c.mail()
			c.Exec(t, `UPDATE code SET resends = 3 WHERE request_id = $1`, c.request())
		}, "as often as is allowed"},
		{"mailed and bounced", func(c *counter) { c.mail(); c.bounce() }, "bascule correct"},
		{"another address chosen, bounced", func(c *counter) { c.mail(); c.choose("other@exemple.example"); c.bounce() }, "bascule retry"},
		{"the contact address chosen, bounced", func(c *counter) { c.mail(); c.choose(contact); c.bounce() }, "bascule correct"},
		{"overdue", func(c *counter) { c.mail(); c.overdue() }, "bascule retry"},
		{"expired", func(c *counter) { c.mail(); c.expire() }, "bascule retry"},
		{"expired, the certificate too", func(c *counter) {
			c.mail()
			c.expire()
			c.Exec(t, `UPDATE space SET certificate_expires = '2020-01-01' WHERE number = $1`, c.number)
		}, "bascule retry"},
		{"bounced, then expired", func(c *counter) { c.mail(); c.bounce(); c.expire() }, "bascule correct"},
		{"bounced, then overdue", func(c *counter) { c.mail(); c.bounce(); c.overdue() }, "bascule correct"},
		{"bounced, expired, address changed", func(c *counter) { c.mail(); c.bounce(); c.expire(); c.move() }, "bascule retry"},
		{"undeliverable", func(c *counter) { c.set(`undeliverable_at = bascule_now()`) }, "bascule correct"},
		{"undeliverable, address changed", func(c *counter) { c.set(`undeliverable_at = bascule_now()`); c.move() }, "bascule retry"},
		{"cancelled", func(c *counter) { c.cancel() }, "bascule retry"},
		{"cancelled after its mail", func(c *counter) { c.mail(); c.cancel() }, "bascule retry"},
		{"cancelled after a bounce", func(c *counter) { c.mail(); c.bounce(); c.cancel() }, "bascule correct"},
		{"invited again", func(c *counter) { c.mail(); c.expire(); c.bascule("retry", string(c.number)) }, "wait"},
		{"activated", func(c *counter) {
			c.mail()
			c.set(`activated_at = bascule_now()`)
			c.Exec(t, `UPDATE space s SET access = 'password', switched_at = r.activated_at, email = number || '@own.example',
				email_key = lower(number) || '@own.example', password_hash = 'h', question = 'q', answer_hash = 'h'
				FROM request r WHERE r.space_id = s.id AND s.number = $1`, c.number)
		}, "nothing"},
		{"known without a request", func(c *counter) {
			c.Exec(t, `DELETE FROM obligation WHERE request_id = $1`, c.request())
			c.Exec(t, `DELETE FROM request WHERE id = $1`, c.request())
		}, "import"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for alternative := 0; ; alternative++ {
				c := &counter{DB: db, t: t, keys: keys, number: conversion.SubscriberNumber(fmt.Sprintf("A%03d%03d", i, alternative))}
				if said := c.importWith(contact); !strings.Contains(said, `"accepted":1`) {
					t.Fatalf("the import said %s", said)
				}
				test.go_(c)
				steps := c.next()
				if !strings.Contains(strings.Join(steps, ";"), test.next) {
					t.Errorf("proposed is %q, want %q", steps, test.next)
				}
				c.follow(steps[alternative])
				if alternative == len(steps)-1 {
					return
				}
			}
		})
	}
}

// next is what show proposes, by alternatives.
func (c *counter) next() []string {
	c.t.Helper()
	exit, stdout, stderr := c.bascule("show", string(c.number))
	_, next, ok := strings.Cut(stdout, "\nNext: ")
	if exit != exitDone || !ok {
		c.t.Fatalf("show ended with %d: %s%s", exit, stdout, stderr)
	}
	return strings.Split(strings.TrimSpace(next), ";")
}

// follow runs the proposed commands, in their order.
func (c *counter) follow(step string) {
	c.t.Helper()
	for _, do := range regexp.MustCompile("`bascule ([^`]+)`|import ").FindAllStringSubmatch(step, -1) {
		if do[1] == "" {
			if said := c.importWith("another@exemple.example"); !strings.Contains(said, `"accepted":1`) {
				c.t.Errorf("%q: the import said %s", step, said)
			}
		} else if exit, stdout, stderr := c.bascule(words(do[1])...); exit != exitDone {
			c.t.Errorf("%q ended with %d: %s%s", do[0], exit, stdout, stderr)
		}
	}
}

// words splits a command as a shell does, and fills in the address.
func words(command string) (list []string) {
	for _, word := range regexp.MustCompile(`'([^']*)'|\S+`).FindAllStringSubmatch(command, -1) {
		list = append(list, cmp.Or(word[1], strings.Replace(word[0], "ADDRESS", "another@exemple.example", 1)))
	}
	return list
}

// `show` tells of guesses that were stopped, as long as they are of this day.
func TestShowTellsOfASiege(t *testing.T) {
	db := sqltest.Open(t)
	keys, err := conversion.ParseKeyring(storyKey)
	if err != nil {
		t.Fatal(err)
	}
	r := db.Requested(t, keys, sqltest.Invitation{})
	c := &counter{DB: db, t: t, keys: keys, number: r.Number}
	for hours, told := range map[int]bool{3: true, 25: false} {
		db.Exec(t, `INSERT INTO siege (space_id, began_at, last_at, told_at)
			SELECT $1, now.t - interval '30 hours', now.t - make_interval(hours => $2), now.t - interval '5 hours' FROM (SELECT bascule_now() AS t) AS now
			ON CONFLICT (space_id) DO UPDATE SET last_at = excluded.last_at`, r.SpaceID, hours)
		exit, stdout, stderr := c.bascule("show", string(r.Number))
		line := regexp.MustCompile(`(?m)^  besieged     since \S+ \S+, last at \S+ \S+: strangers guess and are stopped; the owner was told at \S+ \S+$`)
		if exit != exitDone || line.MatchString(stdout) != told {
			t.Errorf("%d hours after the last guess show says, with exit %d and %q:\n%s", hours, exit, stderr, stdout)
		}
	}
}

// C7: a SIREN leads to the spaces that manage the company, and a subscriber number that
// is also one says so.
func TestShowFindsBySIREN(t *testing.T) {
	db := sqltest.Open(t)
	keys, err := conversion.ParseKeyring(storyKey)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{DB: db, t: t, keys: keys}
	for _, number := range []conversion.SubscriberNumber{"A00001", "A00002", "123456789"} {
		c.number = number
		c.importWith(contact)
	}
	manage := func(number string, sirens ...string) {
		t.Helper()
		db.Exec(t, `UPDATE space SET companies = (SELECT jsonb_agg(jsonb_build_object('siren', siren, 'name', 'Société', 'services', '[]'::jsonb)) FROM unnest($2::text[]) AS siren)
			WHERE number = $1`, number, "{"+strings.Join(sirens, ",")+"}")
	}
	manage("A00001", "111222333", "222333444", "123456789")
	manage("A00002", "111222333")
	for typed, want := range map[string]string{
		"222333444":        "Space A00001\n",
		"222 333 444":      "Space A00001\n",
		"111222333":        "2 spaces\n",
		"123456789":        "Space 123456789\n",
		"123 456 789":      "Space A00001\n",
		"123\u00a0456 789": "Space A00001\n",
	} {
		exit, stdout, stderr := c.bascule("show", typed)
		if exit != exitDone || !strings.HasPrefix(stdout, want) {
			t.Errorf("show %q ended with %d and %s%s, want %q", typed, exit, stdout, stderr, want)
		}
		if says := strings.Contains(stderr, "note: 123456789 is also the SIREN of a company of 1 space: `bascule show \"123 456 789\"`"); says != (typed == "123456789") {
			t.Errorf("show %q notes %q", typed, stderr)
		}
	}
	if exit, _, stderr := c.bascule("show", "999888777"); exit != exitFailed || !strings.Contains(stderr, "no space is found by") {
		t.Errorf("an unknown SIREN ends with %d: %s", exit, stderr)
	}
}
