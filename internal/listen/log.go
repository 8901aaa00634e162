package listen

import (
	"log/slog"
	"regexp"
	"strings"
	"syscall"
)

// serverLog takes the lines that net/http writes about connections. Most lines tell of
// clients that hang up, with their network address: they are dropped (I6). Two kinds
// concern the operator.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if _, why, ok := strings.Cut(text, ": tls: "); ok && ofCertificate.MatchString(why) {
		// crypto/tls reads the certificate before any handler runs, so no page can be
		// shown.
		l.log.Warn("a client's certificate cannot be used: the handshake ends, and the browser shows an error of its own; "+
			"behind a proxy of CLIENT_CERT_PROXIES a page says so", "why", withoutQuotation(why))
	}
	if why, ok := strings.CutPrefix(text, "http: Accept error: "); ok {
		l.log.Error("connections are not accepted"+remedy(why), "error", why)
	}
	return len(line), nil
}

// ofCertificate matches the errors of crypto/tls about a certificate: it cannot be read,
// its key is too large or of an unknown kind, the client does not hold the key.
var ofCertificate = regexp.MustCompile(`client (sent )?certificate`)

// remedy is what the operator can do about a connection that is not accepted. While the
// process has no descriptor left, a single client can keep out all others.
func remedy(why string) string {
	if strings.Contains(why, syscall.EMFILE.Error()) {
		return ": let the process have 2048 open files (ulimit -n, or LimitNOFILE of systemd)"
	}
	return ""
}

// withoutQuotation cuts a reason before the text that it quotes from a certificate:
// this may be somebody's address (I6).
func withoutQuotation(why string) string {
	told, _, _ := strings.Cut(why, `"`)
	return strings.TrimRight(told, " :")
}
