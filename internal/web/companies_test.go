package web_test

import (
	"net/http"
	"strings"
	"testing"

	"bascule/sql/sqltest"
)

// I8: the companies of a space are read where they are shown, and nowhere else:
// here they cannot be read at all.
func TestCompaniesAreReadWhereShown(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, cert := c.holder(sqltest.Invitation{Contact: "held@a.example"})
	c.switched(sqltest.Invitation{Contact: "owner@a.example"})
	_, proof := c.mailed(sqltest.Invitation{Contact: "other@a.example"})
	v := c.visitor("192.0.2.1")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	c.db.Exec(t, `UPDATE space SET companies = '"no list"'`)
	c.post(proof).expect(t, http.StatusOK, "Étape 2 sur 4")
	for _, path := range []string{"/espace/coordonnees", "/espace/mot-de-passe", "/recapitulatif", "/recapitulatif.pdf"} {
		if a := v.get(path); a.status != http.StatusOK {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
	v.get("/connexion").leadsTo(t, "/espace")
	browser := c.client(cert)
	for _, path := range []string{"/espace/coordonnees", "/espace/option", "/espace/identifiants"} {
		if a := c.visit(browser, path); a.status != http.StatusOK {
			t.Errorf("by certificate, %s: status %d", path, a.status)
		}
	}
	for _, path := range []string{"/espace", "/espace/services"} {
		if a := v.get(path); a.status != http.StatusServiceUnavailable {
			t.Errorf("%s does not read them: status %d", path, a.status)
		}
	}
}

// I8: only so many recaps are read or made at once. Who comes too late is told
// when to come back, and gets the whole document then (C4).
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
