package web_test

import (
	"crypto/tls"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// R3, R7, R27: a browser that goes on showing the certificate finds the switched space
// again by address and password, on the listener that asks for certificates too.
// "Accéder avec mon certificat" leads to the certificate's own space, even if somebody
// else was signed in before.
func TestSessionBesideCertificate(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	switched, cert := c.holder(sqltest.Invitation{Contact: "fini@a.example"})
	_, code := c.db.Mail(t, c.keys, switched.ID)
	c.post(full(c.proof("fini@a.example", code), "fini@a.example")).expect(t, http.StatusOK, success)
	other, otherCert := c.holder(sqltest.Invitation{})
	for _, test := range []struct {
		certificate tls.Certificate
		after       string // "/certificat"
		number      conversion.SubscriberNumber
		status      int
	}{
		{cert, "Votre espace est déjà sans certificat", switched.Number, http.StatusForbidden},
		{otherCert, "Opter pour l’accès sans certificat", other.Number, http.StatusOK},
	} {
		client := c.client(test.certificate)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client.Jar = jar
		c.send(client, "/connexion", url.Values{"email": {"fini@a.example"}, "password": {password}}).expect(t, http.StatusOK, string(switched.Number), "Me déconnecter")
		c.visit(client, "/espace/coordonnees").expect(t, http.StatusOK, "fini@a.example")
		// A link of the certificate's space, followed from another tab, tells of which space it speaks.
		checkHTML(t, "option", c.visit(client, "/espace/option").
			expect(t, http.StatusForbidden, "déjà sans certificat", "l’espace n° "+string(switched.Number), "Accéder avec mon certificat"))
		c.visit(client, "/certificat").expect(t, test.status, test.after)
		c.visit(client, "/espace").expect(t, http.StatusOK, string(test.number))
	}
}

// R5, R12: a form of a space serves that space alone. Somebody with several certificates,
// or in two spaces from two tabs, may send it from another one: often with the same
// address or password. It changes nothing there, and the page says why.
func TestFormOfAnotherSpace(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	const elsewhere = "Ce formulaire vient d’un autre espace"
	one, first := c.holder(sqltest.Invitation{Contact: "cabinet@a.example"})
	_, second := c.holder(sqltest.Invitation{Contact: "cabinet@a.example"})
	c.switched(sqltest.Invitation{Contact: "one@a.example"})
	c.switched(sqltest.Invitation{Contact: "two@a.example"})
	page := c.visit(c.client(first), "/espace/identifiants").expect(t, http.StatusOK, string(one.Number))
	form := with(opted("cabinet@a.example"), "space", page.field("space"))
	v := c.visitor("192.0.2.1")
	forms := map[string]url.Values{
		"/espace/identifiant":  {"new_email": {"new@a.example"}, "new_email_confirmation": {"new@a.example"}, "current": {password}},
		"/espace/question":     {"question": {"animal"}, "answer": {answer}, "current": {password}},
		"/espace/mot-de-passe": change(password, "Zenith47Kolibri"),
	}
	v.connect("one@a.example").leadsTo(t, "/espace")
	for path := range forms {
		forms[path].Set("space", v.get(path).field("space"))
	}
	v.submit("/espace/identifiants", form).expect(t, http.StatusConflict, elsewhere)
	v.connect("two@a.example").leadsTo(t, "/espace")
	c.unchanged(func() {
		checkHTML(t, "another space", c.send(c.client(second), "/espace/identifiants", form).expect(t, http.StatusConflict, elsewhere))
		for path, form := range forms {
			v.submit(path, form).expect(t, http.StatusConflict, elsewhere)
		}
	})
	c.send(c.client(first), "/espace/identifiants", form).expect(t, http.StatusOK, mailSent)
	v.connect("one@a.example").leadsTo(t, "/espace")
	v.submit("/espace/identifiant", forms["/espace/identifiant"]).leadsTo(t, "/espace/identifiant")
	proof := url.Values{"code": {"ABCD-1234-EFGH"}, "space": {v.get("/espace/identifiant").field("space")}}
	v.submit("/espace/identifiant", proof).expect(t, http.StatusUnprocessableEntity, "Ce code ne confirme pas")
	v.connect("two@a.example").leadsTo(t, "/espace")
	v.submit("/espace/identifiant", proof).expect(t, http.StatusConflict, elsewhere)
}
