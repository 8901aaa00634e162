package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"bascule/internal/recap"
	"bascule/sql/sqltest"
)

// R28: the recap is served to the session of the activation alone, for 30
// minutes; before the worker has rendered it and after, the bytes are the same.
func TestRecap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	page := s.post(full(proof, "Contact@a.example")).expect(t, http.StatusOK, success)
	cookie := page.header.Get("Set-Cookie")
	if !regexp.MustCompile(`^recap=[\w-]{43}; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("cookie %q", cookie)
	}
	for _, stranger := range []string{"", "recap=", "recap=" + strings.Repeat("A", 43), "__Host-" + page.cookie()} {
		s.get("/recapitulatif.pdf", "Cookie", stranger).
			expect(t, http.StatusForbidden, "Accéder à mon espace", "Gérer mes services", "Gérer vos coordonnées") // R29
	}

	s.get("/recapitulatif.pdf", "Cookie", "espace="+strings.Repeat("A", 43)+"; "+page.cookie()).expect(t, http.StatusOK) // a space left long ago
	fresh := s.get("/recapitulatif.pdf", "Cookie", page.cookie()).expect(t, http.StatusOK)
	var facts recap.Facts
	if err := json.Unmarshal([]byte(s.db.Text(t, `SELECT facts FROM recap`)), &facts); err != nil {
		t.Fatal(err)
	}
	if facts.Email.String() != "Contact@a.example" || facts.Number != "00AB1234" || len(facts.Companies) != 1 ||
		facts.Question != "Dans quelle rue avez-vous grandi\u00a0?" || facts.PublicURL != s.http.URL || !strings.Contains(facts.Help, "01 99 00 00 00") ||
		facts.Administration != "Direction départementale des finances publiques de l’Exemple" {
		t.Errorf("frozen facts %+v", facts)
	}
	var want bytes.Buffer
	if err := recap.Write(&want, facts); err != nil {
		t.Fatal(err)
	}
	if fresh.body != want.String() {
		t.Error("the PDF is not the one of the frozen facts")
	}
	for header, want := range map[string]string{"Content-Type": "application/pdf", "Cache-Control": "private, no-store",
		"Content-Disposition": `inline; filename="recapitulatif-00AB1234.pdf"`} {
		if got := fresh.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	s.db.Exec(t, `UPDATE recap SET pdf = 'stored', sha256 = sha256('stored'), rendered_at = bascule_now() WHERE request_id = $1`, r.ID)
	if got := s.get("/recapitulatif.pdf", "Cookie", page.cookie()); got.body != "stored" {
		t.Errorf("rendered again although stored: %.20q", got.body)
	}
	s.db.Shift(t, 30*time.Minute)
	s.get("/recapitulatif.pdf", "Cookie", page.cookie()).expect(t, http.StatusForbidden)
}

// I8: only so many recaps are read or made at once. A later visitor learns when to come
// back, and gets the whole document then (C4).
func TestRecapsPassAGate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	cookie := s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success).cookie()
	release := s.server.FillDocuments()
	busy := s.get("/recapitulatif.pdf", "Cookie", cookie).expect(t, http.StatusServiceUnavailable, "Service momentanément indisponible")
	if busy.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	release()
	if pdf := s.get("/recapitulatif.pdf", "Cookie", cookie); pdf.status != http.StatusOK || !strings.HasPrefix(pdf.body, "%PDF-") {
		t.Errorf("afterwards: status %d", pdf.status)
	}
}
