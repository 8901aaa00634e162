package sql_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// D18: roles are read in French and English.
func TestParseRoles(t *testing.T) {
	t.Parallel()
	roles, err := sql.ParseRoles("Lecture", "PREPARATION", " launch ", "assist", "lecture")
	if want := "[lecture préparation lancement assistance]"; fmt.Sprint(roles) != want || err != nil {
		t.Errorf("%v, error %v; want %s", roles, err, want)
	}
	if _, err := sql.ParseRoles("lecture", "chef"); err == nil {
		t.Error("chef is a role")
	}
}

// D18: everybody may do everything until somebody is registered. From then on each needs
// the role. Somebody can always say who may act, or nobody is registered.
func TestPersons(t *testing.T) {
	t.Parallel()
	d := open(t)
	may := func(account string, role sql.Role, want bool) {
		t.Helper()
		_, err := d.CheckRoles(d.ctx, account, []sql.Role{role})
		if _, refused := errors.AsType[*sql.RoleError](err); refused == want || err != nil && !refused {
			t.Errorf("%s, %s: %v", account, role, err)
		}
	}
	is := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("the error is %v, want %v", err, want)
		}
	}
	may("root", sql.RoleLaunch, true)
	is(d.AddPerson(d.ctx, sql.Person{Account: "root", Name: "Paul Noël", Roles: []sql.Role{sql.RoleAssist}}, "root"), sql.ErrFirstPerson)
	is(d.AddPerson(d.ctx, sql.Person{Account: "pnoel", Name: "Paul Noël", Roles: []sql.Role{sql.RoleLaunch}}, "root"), sql.ErrFirstPerson)
	d.must(d.AddPerson(d.ctx, sql.Person{Account: "pnoel", Name: "Paul Noël", Roles: []sql.Role{sql.RoleLaunch}}, "pnoel"))
	d.must(d.AddPerson(d.ctx, sql.Person{Account: "adurand", Name: "Anne Durand", Roles: []sql.Role{sql.RoleAssist}}, "pnoel"))
	is(d.AddPerson(d.ctx, sql.Person{Account: "adurand", Name: "Anne", Roles: []sql.Role{sql.RoleRead}}, "pnoel"), sql.ErrPersonKnown)
	may("root", sql.RoleRead, false)
	may("adurand", sql.RoleRead, true)
	may("adurand", sql.RoleAssist, true)
	may("adurand", sql.RolePrepare, false)
	is(d.SetRoles(d.ctx, "nobody", []sql.Role{sql.RoleRead}, "pnoel"), sql.ErrPersonUnknown)
	is(d.SetRoles(d.ctx, "pnoel", nil, "pnoel"), sql.ErrNoLauncher)
	d.must(d.SetRoles(d.ctx, "adurand", []sql.Role{sql.RolePrepare, sql.RoleLaunch}, "pnoel"))
	may("adurand", sql.RoleAssist, false)
	may("adurand", sql.RoleLaunch, true)
	d.must(d.SetRoles(d.ctx, "pnoel", nil, "adurand"))
	may("pnoel", sql.RoleRead, false)
	d.must(d.AddPerson(d.ctx, sql.Person{Account: "pnoel", Name: "Paul Noël", Roles: []sql.Role{sql.RoleRead}}, "adurand"))
	list, err := d.Persons(d.ctx)
	if got := fmt.Sprint(list); got != "[{adurand Anne Durand [préparation lancement]} {pnoel Paul Noël [lecture]}]" || err != nil {
		t.Errorf("%s, error %v", got, err)
	}
	if got := d.Text(t, `SELECT string_agg(concat_ws(' ', actor, account, array_to_string(roles, '+')), ', ' ORDER BY id) FROM person`); got !=
		"pnoel pnoel lancement, pnoel adurand assistance, pnoel adurand préparation+lancement, adurand pnoel , adurand pnoel lecture" {
		t.Errorf("the record is %s", got)
	}
}

// D18: above so many mails, who imported, corrected or wrote the message does not launch,
// whatever the way: start, resume, retry, an import into a running campaign, or one that
// starts it. Nothing is changed then.
func TestFourEyes(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(3)...) // by admin
	d.RequireFourEyes(2)
	refused := func(who string, err error) {
		t.Helper()
		if e, ok := errors.AsType[*sql.FourEyesError](err); !ok || e.Account != who || e.Above != 2 {
			t.Errorf("%s: the error is %v", who, err)
		}
	}
	d.must(d.SetMessage(d.ctx, "spring", conversion.Message("Bonjour"), "writer"))
	_, _, err := d.Correct(d.ctx, sql.Correction{Number: conversion.SubscriberNumber(number(0)), Email: sqltest.Email(t, "b@duvallon.example"), Reason: "call 12", Actor: "helper", Keys: d.keys})
	d.must(err)
	for _, who := range []string{"admin", "writer", "helper"} {
		refused(who, d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", who))
		refused(who, d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "urgent", who))
	}
	d.stands("spring", sql.CampaignPrepared, 3, 0)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "other"))
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	refused("admin", d.ResumeCampaign(d.ctx, "spring", "admin"))
	d.must(d.ResumeCampaign(d.ctx, "spring", "other"))

	more := d.sheet(rows(6)[3:]...)
	more.Campaign = "spring"
	_, err = d.DB.DB.Import(d.ctx, more, nil)
	refused("admin", err)
	d.stands("spring", sql.CampaignRunning, 3, 0)
	few := d.sheet(rows(5)[3:]...)
	few.Campaign = "spring"
	_, err = d.DB.DB.Import(d.ctx, few, nil)
	d.must(err)
	all := d.sheet(rows(9)[6:]...)
	all.Campaign, all.Start = "autumn", true
	_, err = d.DB.DB.Import(d.ctx, all, nil)
	refused("admin", err)
	if _, err := d.Campaign(d.ctx, "autumn"); !errors.Is(err, sql.ErrNoCampaign) {
		t.Errorf("a refused import leaves a campaign: %v", err)
	}
	d.must(d.ReleaseAll(d.ctx))
	d.deliver()
	d.Shift(t, 49*time.Hour)
	for _, into := range []string{"", "spring"} {
		plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "spring", Into: into})
		d.must(err)
		if len(plan.Requests) != 5 {
			t.Errorf("%d requests have expired, want 5", len(plan.Requests))
		}
		_, err = d.DB.DB.Retry(d.ctx, plan, d.keys, "admin")
		refused("admin", err)
	}
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "spring"})
	d.must(err)
	if n, err := d.DB.DB.Retry(d.ctx, plan, d.keys, "other"); n != 5 || err != nil {
		t.Errorf("%d invited again by somebody else, error %v", n, err)
	}
	d.held("winter", row("700001", "w@duvallon.example"))
	d.must(d.StartCampaign(d.ctx, "winter", sql.CampaignSettings{}, "", "admin")) // not above

	prepared := rows(12)[9:]
	d.held("summer", prepared...)
	again := d.sheet(prepared...)
	one := d.sheet(row("700002", "v@duvallon.example"))
	for _, in := range []*sql.Import{&again, &one} { // they start what the campaign holds already
		in.Campaign, in.Start = "summer", true
		_, err = d.DB.DB.Import(d.ctx, *in, nil)
		refused("admin", err)
	}
	d.stands("summer", sql.CampaignPrepared, 3, 0)
	one.Actor = "other"
	_, err = d.DB.DB.Import(d.ctx, one, nil)
	refused("other", err)
	again.Actor = "other" // of its rows none is accepted
	_, err = d.DB.DB.Import(d.ctx, again, nil)
	d.must(err)
	d.stands("summer", sql.CampaignRunning, 3, 0)
	d.sound()
}

// D18: what a person prepared stays so wherever its file or its rows go: another person
// launches. What would leave from a running campaign at once is not prepared there.
func TestFourEyesHasNoWayAround(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.RequireFourEyes(2)
	refused := func(what string, err error) {
		t.Helper()
		if e, ok := errors.AsType[*sql.FourEyesError](err); !ok || e.Account != "admin" {
			t.Errorf("%s: the error is %v", what, err)
		}
	}
	d.held("spring", rows(3)...)
	d.held("summer", rows(3)...) // the file moves on, its rows do not
	refused("the file is elsewhere", d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{Pilot: 1}, "", "other"))
	refused("the pilot is over", d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.Pilot = 0 }, "admin"))
	refused("a message", d.SetMessage(d.ctx, "spring", "Bonjour", "admin"))
	d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.Pilot = 0 }, "other"))
	d.must(d.ReleaseAll(d.ctx))
	d.deliver()

	// The rows of a file go where their spaces are.
	d.held("autumn", rows(8)[3:]...)
	moving := rows(8)
	for i := range moving {
		moving[i] = row(number(i), fmt.Sprintf("b%d@duvallon.example", i))
	}
	_, err := d.DB.DB.Import(d.ctx, d.sheet(moving...), nil)
	refused("other addresses for a running campaign", err)
	if e, ok := errors.AsType[*sql.FourEyesError](err); ok && !strings.Contains(e.Error(), "while the campaign is not running") {
		t.Errorf("the error is %v", err)
	}
	named := rows(8)
	for i := range named {
		named[i].Space.Holder = "Camille Noël"
	}
	_, err = d.DB.DB.Import(d.ctx, d.sheet(named...), nil) // sends nothing
	d.must(err)

	// Rows that are invited again elsewhere.
	d.Shift(t, 49*time.Hour)
	others := d.sheet(row("700001", "w@duvallon.example"))
	others.Campaign, others.Actor, others.Start = "winter", "other", true
	_, err = d.DB.DB.Import(d.ctx, others, nil)
	d.must(err)
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "spring", Into: "winter"})
	d.must(err)
	_, err = d.Retry(d.ctx, plan, d.keys, "admin")
	refused("a retry in another campaign", err)
	plan, err = d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "spring", Into: "next"})
	d.must(err)
	_, err = d.DB.DB.Retry(d.ctx, plan, d.keys, "other")
	d.must(err)
	refused("rows of another campaign", d.StartCampaign(d.ctx, "next", sql.CampaignSettings{}, "", "admin"))
	d.must(d.StartCampaign(d.ctx, "next", sql.CampaignSettings{}, "", "third"))
	d.tallies(0)
	d.sound()
}

// D18: a start waits for an import, which may add to the campaign.
func TestFourEyesWhileImporting(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.RequireFourEyes(2)
	d.held("spring", row("000001", "a@duvallon.example"))
	tx := d.holdImports()
	var both sync.WaitGroup
	both.Go(func() { d.held("spring", rows(3)...) })
	d.waiting(1)
	started := make(chan error, 1)
	both.Go(func() { started <- d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin") })
	d.must(d.untilSoMany(2, func() bool { return len(started) > 0 }))
	d.must(tx.Rollback())
	both.Wait()
	if _, ok := errors.AsType[*sql.FourEyesError](<-started); !ok {
		t.Error("admin has started what admin imported meanwhile")
	}
}

// D18: who lost the role lancement a moment ago does not say who may act.
func TestPersonsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	launcher := func(account string) sql.Person {
		return sql.Person{Account: account, Name: account, Roles: []sql.Role{sql.RoleLaunch}}
	}
	d.must(d.AddPerson(d.ctx, launcher("adurand"), "adurand"))
	d.must(d.AddPerson(d.ctx, launcher("pnoel"), "adurand"))
	d.must(d.SetRoles(d.ctx, "pnoel", nil, "adurand"))
	for what, err := range map[string]error{
		"removes":   d.SetRoles(d.ctx, "adurand", nil, "pnoel"),
		"registers": d.AddPerson(d.ctx, launcher("pnoel"), "pnoel"),
	} {
		if e, ok := errors.AsType[*sql.RoleError](err); !ok || e.Account != "pnoel" {
			t.Errorf("pnoel %s: the error is %v", what, err)
		}
	}
	d.must(d.SetRoles(d.ctx, "adurand", nil, "adurand"))
}

// I9, D18: the audit log keeps the reason that an administrator gives.
func TestReasonsAreAudited(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.must(d.Resend(d.ctx, "000001", "call 12", "adurand"))
	d.deliver()
	plan, err := d.PlanCancel(d.ctx, []conversion.SubscriberNumber{"000001"})
	d.must(err)
	plan.Why = "call 13"
	_, err = d.DB.DB.Cancel(d.ctx, plan, "adurand")
	d.must(err)
	again, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{"000001"}})
	d.must(err)
	again.Why = "call 14"
	_, err = d.Retry(d.ctx, again, d.keys, "adurand")
	d.must(err)
	log := d.Text(t, `SELECT string_agg(concat_ws(' ', event, actor, why), E'\n' ORDER BY id) FROM audit WHERE space_id = (SELECT space_id FROM request WHERE id = $1)`, request)
	for _, want := range []string{"resend asked adurand mail 1 of generation 1: call 12", "cancelled adurand call 13", "requested adurand call 14"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
}
