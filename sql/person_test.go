package sql_test

import (
	"errors"
	"fmt"
	"strings"
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
// whatever the way: start, resume, retry, or an import into a running campaign. Nothing
// is changed then.
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
		refused(who, d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, who))
		refused(who, d.StartAnyway(d.ctx, "spring", sql.CampaignSettings{}, "urgent", who))
	}
	d.stands("spring", sql.CampaignPrepared, 3, 0)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "other"))
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
	d.must(d.StartCampaign(d.ctx, "winter", sql.CampaignSettings{}, "admin")) // not above
	d.sound()
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
