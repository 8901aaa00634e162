package conversion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// I6: nothing that a logger is handed by mistake tells a code, a password, an answer, an address, a hash or a key.
func TestNoSecretInLogs(t *testing.T) {
	password, answer := Password{"Xk7Tr2Qp"}, TrustAnswer{"medor"}
	code, email := Code{"8CQN9NZJXZ9Z"}, mustEmail(t, "camille@cabinet.example")
	hash := Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + goodSum)
	ring := mustKeyring(t, secretKey(0, 32))
	secrets := []string{"Xk7Tr2Qp", "medor", "8CQN", "XZ9Z", "camille", "cabinet", goodSalt, goodSum,
		string(ring.keys[0].code), fmt.Sprint(ring.keys[0].code), fmt.Sprintf("%x", ring.keys[0].code), "0x" + fmt.Sprintf("%x", ring.keys[0].code[:1])}
	values := []any{password, &password, answer, &answer, code, &code, email, &email, hash, &hash, ring,
		struct {
			P Password
			A TrustAnswer
			R *Keyring
		}{password, answer, ring},
		[]any{password, answer, ring},
		map[string]Password{"p": password},
	}
	for _, v := range values {
		var log bytes.Buffer
		options := &slog.HandlerOptions{Level: slog.LevelDebug}
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, options), slog.NewJSONHandler(&log, options)} {
			slog.New(h).Info("message", "value", v, slog.Group("group", slog.Any("value", v)))
		}
		wantNoSecret(t, fmt.Sprintf("%T in a log", v), log.String(), secrets)
	}
}

// I6, R17: no verb of fmt and no JSON tells a password, an answer or a key.
func TestNoSecretPrinted(t *testing.T) {
	password, answer, ring := Password{"Xk7Tr2Qp"}, TrustAnswer{"medor"}, mustKeyring(t, secretKey(0, 32))
	secrets := []string{"Xk7Tr2Qp", "medor", fmt.Sprintf("%x", "Xk7Tr2Qp"), fmt.Sprintf("%x", "medor"),
		fmt.Sprint(ring.keys[0].code), fmt.Sprintf("%x", ring.keys[0].code), "0x" + fmt.Sprintf("%x", ring.keys[0].code[:1])}
	for _, v := range []any{password, &password, answer, &answer, ring, []Password{password}, struct{ P Password }{password}, map[TrustAnswer]int{answer: 1}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			wantNoSecret(t, fmt.Sprintf("%T with %s", v, verb), fmt.Sprintf(verb, v), secrets)
		}
	}
	for _, v := range []any{password, answer, ring, Code{"8CQN9NZJXZ9Z"}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		wantNoSecret(t, fmt.Sprintf("%T as JSON", v), string(b), append(secrets, "8CQN"))
	}
}

func wantNoSecret(t *testing.T, what, text string, secrets []string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s: nothing was written", what)
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s tells %q: %s", what, s, text)
		}
	}
}
