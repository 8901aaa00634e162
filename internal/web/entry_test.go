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
		c.visit(client, "/certificat").expect(t, test.status, test.after)
		c.visit(client, "/espace").expect(t, http.StatusOK, string(test.number))
	}
}
