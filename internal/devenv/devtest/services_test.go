package devtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/emersion/go-smtp"
)

// D5, R26: in the inbox of the demonstration the link of a mail opens the activation
// page in the whole window, with its fragment. That holds for the HTML and the text. A
// script in a mail does nothing, nor does anything that a mail loads from elsewhere. The
// browser of a test reaches no other machine.
func TestInboxInBrowser(t *testing.T) {
	in := Inbox(t)
	mux := http.NewServeMux()
	mux.Handle("/inbox", in.Handler(nil))
	mux.Handle("/inbox/", in.Handler(nil))
	mux.HandleFunc("/activation", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<!DOCTYPE html><title>Activation</title><p id=here>ici</p>")
	})
	spied := false
	mux.HandleFunc("/spy", func(http.ResponseWriter, *http.Request) { spied = true })
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	link := site.URL + "/activation#email=durand%40cabinet.example&code=ABCD-1234-WXYZ"
	mail(t, in.URL(), "MIME-Version: 1.0\r\nSubject: Code\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"+
		"--a\r\nContent-Type: text/plain\r\n\r\nSuivez "+link+".\r\n--a\r\nContent-Type: text/html\r\n\r\n"+
		"<html><head></head><body style=\"margin:0\"><a style=\"display:block;height:200px\" href=\""+strings.ReplaceAll(link, "&", "&amp;")+"\">Activer</a>"+
		"<img src=\""+site.URL+"/spy\"><script>top.location='"+site.URL+"/spy'</script></body></html>\r\n--a--\r\n")

	browser := Chromium(t)
	for name, click := range map[string]chromedp.Action[chromedp.Void]{
		"text": chromedp.Click("pre a"),
		"HTML": clickInto("iframe", 100, 100),
	} {
		if err := chromedp.Do(browser, chromedp.Navigate(site.URL+"/inbox"), chromedp.Click("tbody a"), chromedp.WaitVisible("iframe")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if at := clickAway(t, browser, click); at != link {
			t.Errorf("%s: the link led to %s, want %s", name, at, link)
		}
	}
	if spied {
		t.Error("a mail loaded something")
	}
	if err := chromedp.Do(browser, chromedp.Navigate("http://impots.example/")); err == nil {
		t.Error("a name of another machine was looked up")
	}
}

// clickAway clicks until the page has given way to another, and returns its
// address: a click on a frame that is not painted yet is lost.
func clickAway(t *testing.T, browser context.Context, click chromedp.Action[chromedp.Void]) string {
	t.Helper()
	for {
		try, cancel := context.WithTimeout(browser, time.Second)
		_ = chromedp.Do(try, click, chromedp.WaitVisible("#here"))
		cancel()
		at, err := chromedp.Run(browser, chromedp.Location())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(at, "/inbox/") {
			return at
		}
	}
}

// clickInto clicks at a point of an element.
func clickInto(selector string, x, y float64) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		box, err := chromedp.Dimensions(selector)(ctx, target)
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.MouseClickXY(box.Content[0]+x, box.Content[1]+y)(ctx, target)
	}
}

func mail(t *testing.T, smtpURL, message string) {
	t.Helper()
	u, err := url.Parse(smtpURL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.Dial(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SendMail("aide@impots.example", []string{"durand@cabinet.example"}, strings.NewReader(message)); err != nil {
		t.Fatal(err)
	}
}

// A real redis-server evicts nothing and answers at its URL.
func TestRedis(t *testing.T) {
	r := Redis(t)
	if got := redisSays(t, r.Addr(), "CONFIG GET maxmemory-policy", "SET k v"); !strings.Contains(got, "noeviction") || !strings.Contains(got, "+OK") {
		t.Errorf("redis-server says %q", got)
	}
}

// redisSays sends commands and returns the answers to them all.
func redisSays(t *testing.T, addr string, commands ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s\r\nQUIT\r\n", strings.Join(commands, "\r\n"))
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
