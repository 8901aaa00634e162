package smtp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	for in, want := range map[string]string{
		"smtp://relay.example":                                "smtp://relay.example:587?starttls=required",
		"smtp://relay.example:25":                             "smtp://relay.example:25?starttls=required",
		"smtp://relay.example:25/?starttls=optional":          "smtp://relay.example:25?starttls=optional",
		" smtp://127.0.0.1:2525?starttls=off\n":               "smtp://127.0.0.1:2525?starttls=off",
		"smtp://u:p@[::1]:25?starttls=required":               "smtp://[credentials]@[::1]:25?starttls=required",
		"smtps://us%40firm.example:p%2F%23%3Fw@relay.example": "smtps://[credentials]@relay.example:465",
		"":                                    "must begin with smtp",
		"relay.example:25":                    "must begin with smtp",
		"http://relay.example":                "must begin with smtp",
		"smtp://":                             "names no host",
		"smtp://:25":                          "names no host",
		"smtp://relay.example/path":           "after the host",
		"smtp://relay.example#x":              "after the host",
		"smtp://relay.example:0":              "names no port",
		"smtp://relay.example:65536":          "names no port",
		"smtp://relay.example?starttls=maybe": "must be required, optional or off",
		"smtp://relay.example?tls=off":        "no option but starttls",
		"smtps://relay.example?starttls=off":  "no meaning",
		"smtp://user@relay.example":           "both user and password",
		"smtp://:secret@relay.example":        "both user and password",
		"smtp://user:@relay.example":          "both user and password",
		"smtp://relay.example:99999x":         "not a URL",
		"smtp://user:se%zzcret@relay.example": "not a URL",
	} {
		cfg, err := ParseURL(in)
		got := cfg.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != want || err != nil && !strings.Contains(got, want) {
			t.Errorf("ParseURL(%q): %s, want %s", in, got, want)
		}
	}
	cfg, err := ParseURL("smtps://us%40firm.example:p%2F%23%3Fw@relay.example")
	if err != nil || *cfg.Auth != (Credentials{"us@firm.example", "p/#?w"}) {
		t.Errorf("credentials read as %q %q, %v", cfg.Auth.User, cfg.Auth.Password, err)
	}
}

// RFC 5321 §4.5.3.2 gives the least time that each reply may take.
func TestLimits(t *testing.T) {
	l := DefaultLimits()
	if l.Connect < time.Minute || l.Command < 5*time.Minute || l.Write < 3*time.Minute || l.Dot < 10*time.Minute {
		t.Errorf("a relay gets less time than RFC 5321 gives it: %+v", l)
	}
}

// I6: however the URL is broken and however it is printed, the password stays inside.
func TestPasswordIsNeverTold(t *testing.T) {
	for _, in := range []string{
		"smtp://user:hunter22@relay.example", "smtp://user:hunter22@relay.example:bad", "smtp://user:hunter22/x@relay.example",
		"smtp://user:hunter22#x@relay.example", "smtp://user:hunter22?x@relay.example", "smtp://user:hunter22%@relay.example",
		"smtp://user:hunter22@relay.example?hunter22=1", "smtp://user:12/hunter22@relay.example", "smtp://user:12?hunter22@relay.example",
		"smtp://user:12#hunter22@relay.example", "hunter22", "smtp://hunter22@relay.example", "smtp://user:hunter22@", "smtp://user:hunter22 x@relay.example",
		"smtp://user:hunter22@relay.example?starttls=hunter22", "smtp://user:hunter22@relay.example?%zz",
	} {
		cfg, err := ParseURL(in)
		relay := NewClient(cfg, 1)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "cfg", cfg, "auth", cfg.Auth, "relay", relay, "err", err)
		told := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %+v %v", cfg, cfg, cfg, cfg, cfg.Auth, cfg.Auth, cfg.Auth, relay, err) + log.String()
		if strings.Contains(told, "hunter22") {
			t.Errorf("%s tells %s", in, told)
		}
	}
	cfg, err := ParseURL("smtp://user:hunter22@relay.example")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(cfg.Auth); err == nil && strings.Contains(string(b), "hunter22") {
		t.Errorf("JSON tells %s", b)
	}
}
