package devtest

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
)

// Redis gives the test a real, empty redis-server of its own.
func Redis(t testing.TB) *devenv.RedisServer {
	t.Helper()
	r, err := devenv.StartRedisServer(t.Context(), t.TempDir())
	if errors.Is(err, devenv.ErrNoRedis) {
		t.Fatalf("%v; make test installs it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Inbox gives the test an inbox of its own.
func Inbox(t testing.TB) *devenv.Inbox {
	t.Helper()
	in, err := devenv.StartInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	return in
}

// Authority gives the test an authority of its own.
func Authority(t testing.TB, name pkix.Name) *devenv.Authority {
	t.Helper()
	a, err := devenv.OpenAuthority(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Email is an address for a test.
func Email(t testing.TB, s string) conversion.Email {
	t.Helper()
	e, err := conversion.ParseEmail(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return e
}

// browserPatience is how long a test may use its browser: a tour of all pages, on a
// busy machine.
const browserPatience = 5 * time.Minute

// Chromium gives the test a browser of its own, with a fresh profile. It returns the
// context for chromedp.Do and chromedp.Run. The browser resolves no name and reaches no
// host but this machine. For sites with TLS there is ChromiumTLS.
//
// It is Debian's chromium-headless-shell if that is there: the same engine without the
// parts of a window, for less than half the processor time. It knows no certificates of
// a user.
func Chromium(t testing.TB) context.Context {
	t.Helper()
	options := browserOptions()
	if shell, err := exec.LookPath("chromium-headless-shell"); err == nil {
		options = append(options, chromedp.ExecPath(shell))
	}
	return startBrowser(t, options)
}

func startBrowser(t testing.TB, options []chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), browserPatience)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium: %v; make test installs it (Debian, Ubuntu: apt-get install chromium)", err)
	}
	return ctx
}

func browserOptions(more ...chromedp.ExecAllocatorOption) []chromedp.ExecAllocatorOption {
	options := append([]chromedp.ExecAllocatorOption(nil), chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.NoSandbox, // root cannot have one; the pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.Flag("lang", "fr-FR"),
	)
	return append(options, more...)
}
