package terminal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// C7: of each story the next step names the command that helps, and no other.
func TestNextStep(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 30, 10, 0, 0, 0, time.UTC)
	request := func(state conversion.State) conversion.ReportRequest {
		return conversion.ReportRequest{State: state, ExpiresAt: at}
	}
	bounced := func(b conversion.Bounce) conversion.ReportRequest {
		r := request(conversion.StateMailed)
		r.Bounce, r.BouncedAt = b, at
		return r
	}
	spent := errors.New("sent three times")
	for _, c := range []struct {
		name     string
		story    sql.Story
		says     string
		commands string // those that it names
	}{
		{"switched", sql.Story{Space: conversion.Space{Access: conversion.AccessPassword}}, "irrevocable", ""},
		{"never invited", sql.Story{}, "import a spreadsheet", ""},
		{"in the queue", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)}}, "wait:", "status"},
		{"held", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)},
			Next: sql.Next{Campaign: "a b", CampaignState: sql.CampaignPrepared}}, "start 'a b'`", "campaign"},
		{"held by a pause", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)},
			Next: sql.Next{Campaign: "a", CampaignState: sql.CampaignPaused}}, "resume a`", "campaign"},
		{"its turn is to come", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)},
			Next: sql.Next{Campaign: "a", CampaignState: sql.CampaignRunning}}, "wait", "campaign"},
		{"left alone, and held", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)},
			Exclusions: []sql.SpaceExclusion{{Key: "a@b.example", Reason: "asked"}}, Next: sql.Next{Campaign: "a"}}, "(asked)", "exclude"},
		{"left alone, and asks", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateRequested)},
			Exclusions: []sql.SpaceExclusion{{Key: "a@b.example", Reason: "asked"}}, Next: sql.Next{Chose: true}}, "wait:", "status"},
		{"mailed", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateMailed)}}, "before 2026-06-30 12:00:00", "resend"},
		{"sent often", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateMailed)}, Next: sql.Next{Resend: spent}}, "as often as is allowed", ""},
		{"left alone, with a code", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateMailed)}, Next: sql.Next{LeftAlone: true}}, "no mail follows", ""},
		{"left alone", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)},
			Exclusions: []sql.SpaceExclusion{{Key: "a@b.example", Reason: "asked"}}}, "(asked)", "exclude"},
		{"left alone, by an address that a shell would read", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)},
			Exclusions: []sql.SpaceExclusion{{Key: "o'neil@b.example", Reason: "asked"}}}, `exclude 'o'\''neil@b.example'`, "exclude"},
		{"late", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BounceLate)}}, "delayed", "retry"},
		{"mailbox full", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BouncePolicy)}}, "once that is mended", "resend"},
		{"mailbox full, sent often", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BouncePolicy)}, Next: sql.Next{Resend: spent}}, "another address", "correct"},
		{"gone", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BounceGone)}}, "gives another address, and invites there", "correct"},
		{"gone, identifiers given", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BounceGone)}, Next: sql.Next{Chose: true}}, "then `bascule correct", "cancel correct"},
		{"gone, another address chosen", sql.Story{Requests: []conversion.ReportRequest{bounced(conversion.BounceGone)}, Next: sql.Next{Chose: true, ChoseOther: true}}, "the contact address", "cancel retry"},
		{"expired", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)}}, "invites the space again", "retry"},
		{"refused", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateUndeliverable)}, Next: sql.Next{Retry: sql.ObstacleRefused}}, "--same-address", "correct retry"},
		{"expired, and its campaign invites again", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)},
			Next: sql.Next{InvitesAt: at}}, "again; its campaign does so by itself on 2026-06-30 12:00:00.", "retry"},
		{"expired, as its campaign is", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)},
			Next: sql.Next{InvitesAt: at, Over: true}}, "--into NAME` invites the space again.", "retry"},
		{"its campaign is over", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateExpired)},
			Next: sql.Next{Over: true}}, " --into NAME` invites", "retry"},
		{"refused, its campaign is over", sql.Story{Requests: []conversion.ReportRequest{request(conversion.StateUndeliverable)},
			Next: sql.Next{Over: true, Retry: sql.ObstacleRefused}}, " --into NAME --same-address", "correct retry"},
	} {
		got := NextStep(c.story)
		var named []string
		for _, part := range strings.Split(got, "`bascule ")[1:] {
			named = append(named, strings.Fields(strings.Trim(part, "`"))[0])
		}
		for i := range named {
			named[i] = strings.TrimRight(named[i], "`.,;")
		}
		if !strings.Contains(got, c.says) || strings.Join(named, " ") != c.commands {
			t.Errorf("%s: %q names %q; want %q, and the commands %q", c.name, got, named, c.says, c.commands)
		}
	}
}
