package web_test

import (
	"crypto/tls"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// I8: the companies of a space are read where they are shown, and nowhere else:
// here they cannot be read at all.
func TestCompaniesAreReadWhereShown(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, cert := c.holder(sqltest.Invitation{Contact: "held@a.example"})
	_, proof := c.mailed(sqltest.Invitation{Contact: "owner@a.example"})
	c.post(full(proof, "owner@a.example")).expect(t, http.StatusOK, success)
	_, proof = c.mailed(sqltest.Invitation{Contact: "other@a.example"})
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

// R7: a certificate that opens the space has not expired, whatever day the sheet has.
func TestExpiryOfTheSheet(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{})
	browser := c.client(cert)
	for days, want := range map[int]string{-2: "Remplacez votre certificat par", 0: "Votre certificat expire le", 1: "Votre certificat expire le"} {
		c.db.Exec(t, `UPDATE space SET certificate_expires = (bascule_now() AT TIME ZONE 'Europe/Paris')::date + $2::integer WHERE id = $1`, r.SpaceID, days)
		c.visit(browser, "/espace").expect(t, http.StatusOK, want)
	}
}

// R7, R8–R11: the certificate that the sheet names opens the space; each of the
// three home screens has the option.
func TestHomeScreens(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	company := func(siren, name string, services ...string) conversion.Company {
		return conversion.Company{SIREN: conversion.SIREN(siren), Name: name, Services: services}
	}
	for name, test := range map[string]struct {
		companies []conversion.Company
		path      string
		texts     []string
		not       string
	}{
		"none": {[]conversion.Company{}, "/espace", []string{"Vous ne disposez d’aucun service"}, "SIREN"},
		"one":  {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA")}, "/espace", []string{"Entreprise : Boulangerie Duvallon", "SIREN 123 456 789", "TVA"}, "Vos entreprises"},
		"several": {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA"), company("987654321", "Garage Duvallon", "Paiement")},
			"/espace?dossier=987654321", []string{"2 entreprises", "Boulangerie Duvallon SIREN 123 456 789", "Entreprise choisie : Garage Duvallon", "Paiement"}, "TVA"},
		"certificat": {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA")}, "/certificat", []string{"Entreprise : Boulangerie Duvallon"}, "Vos entreprises"},
	} {
		r, cert := c.holder(sqltest.Invitation{Companies: test.companies})
		page := c.visit(c.client(cert), test.path).expect(t, http.StatusOK, append(test.texts, string(r.Number), r.Holder, "Opter pour l’accès sans certificat")...)
		if strings.Contains(text(page.body), test.not) {
			t.Errorf("%s: the page says %q", name, test.not)
		}
		checkHTML(t, name, page)
	}
}

// R10: an accountant's five hundred companies come on pages of a bearable size,
// and a part of a name or SIREN finds one.
func TestManyCompanies(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	var many []conversion.Company
	for i := range 500 {
		many = append(many, conversion.Company{SIREN: conversion.SIREN(big.NewInt(int64(100000000 + i)).String()),
			Name: strings.Repeat("Établissements Duvallon ", 3) + big.NewInt(int64(i)).String(), Services: []string{"TVA"}})
	}
	_, cert := c.holder(sqltest.Invitation{Companies: many})
	client := c.client(cert)
	for path, want := range map[string]string{
		"/espace": "Page 1 sur 17", "/espace?page=17": "Page 17 sur 17", "/espace?page=99": "Page 17 sur 17", "/espace?page=x": "Page 1 sur 17",
		"/espace?recherche=duvallon+499": "1 de vos 500 entreprises correspond", "/espace?recherche=100+000+007": "1 de vos 500 entreprises correspond",
		"/espace?recherche=etablissements+DUVALLON+duvallon": "Aucune de vos 500 entreprises", "/espace?recherche=%C3%89TABLISSEMENTS": "500 de vos 500 entreprises", "/espace?recherche=etablissements": "500 de vos 500 entreprises",
		"/espace?recherche=zzz": "Aucune de vos 500 entreprises", "/espace?dossier=100000007": "Entreprise choisie : Établissements Duvallon Établissements Duvallon Établissements Duvallon 7",
		"/espace?dossier=%00": "Entreprise choisie : Établissements Duvallon", "/espace?dossier=%FF": "Entreprise choisie", "/espace?recherche=%00%FF": "de vos 500 entreprises",
	} {
		checkHTML(t, path, c.visit(client, path).expect(t, http.StatusOK, want))
	}
}

// R11, R29: the pages of a space entered by certificate lead to each other, without the
// links of a password space.
func TestCertificatePages(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{})
	client := c.client([]tls.Certificate{cert}...)
	for path, texts := range map[string][]string{
		"/espace/services":    {"Gérer mes services", "Gérer vos coordonnées", "Opter pour l’accès sans certificat"},
		"/espace/coordonnees": {string(r.Number), r.Contact.String(), "Avec certificat"},
	} {
		checkHTML(t, path, c.visit(client, path).expect(t, http.StatusOK, texts...))
	}
	for _, path := range []string{"/recapitulatif", "/recapitulatif.pdf"} {
		c.visit(client, path).expect(t, http.StatusForbidden)
	}
}
