// Package conversion is bascule's domain: the words of the business and the rules that
// hold whatever the database, the queue or the browser. It does no input or output.
// Values are parsed once, at the edge: an [Email] or a [Password] is never checked
// again.
package conversion

// Invalid is a value that a rule refuses. Error is English, for logs and the command
// line; French is what a subscriber or an administrator reads. Both may be logged and
// shown: they repeat one character of the refused value at the most, or one word of what
// an administration itself says.
type Invalid struct {
	English string
	French  string

	kind *Invalid // the refusal that this one tells more of
}

func invalid(english, french string) *Invalid { return &Invalid{English: english, French: french} }

func (e *Invalid) Error() string { return e.English }

// Is makes a refusal with a character the same as the refusal without it.
func (e *Invalid) Is(target error) bool {
	kind, ok := target.(*Invalid)
	return ok && e.kind == kind && kind != nil
}

// The refusals of this package. They are compared with errors.Is.
var (
	ErrNumberMissing = invalid("subscriber number missing", "numéro d’abonné manquant")
	ErrNumberFormat  = invalid("subscriber number must be 6 to 20 ASCII letters and digits", "numéro d’abonné invalide\u00a0: 6 à 20 lettres (sans accent) ou chiffres attendus")

	ErrEmailMissing = invalid("e-mail address missing", "adresse électronique manquante")
	ErrEmailTooLong = invalid("e-mail address longer than 100 characters", "adresse électronique trop longue\u00a0: 100 caractères au maximum")
	ErrEmailFormat  = invalid("e-mail address not valid", "adresse électronique invalide\u00a0: une adresse s’écrit sous la forme nom@domaine.fr")

	ErrExcluded = invalid("neither an e-mail address, nor a domain, nor a subscriber number", "ni une adresse électronique, ni un domaine, ni un numéro d’abonné")

	ErrPasswordMissing    = invalid("password missing", "saisissez un mot de passe")
	ErrPasswordShort      = invalid("password shorter than 8 characters", "le mot de passe doit comporter 8 caractères au minimum")
	ErrPasswordLong       = invalid("password longer than 20 characters", "le mot de passe doit comporter 20 caractères au maximum")
	ErrPasswordSymbols    = invalid("password may hold only A–Z, a–z and 0–9", "le mot de passe ne doit comporter que des lettres sans accent et des chiffres, sans espace")
	ErrPasswordMix        = invalid("password must hold at least one letter and one digit", "le mot de passe doit comporter au moins une lettre et au moins un chiffre")
	ErrPasswordCommon     = invalid("password is too common", "ce mot de passe est trop courant\u00a0: choisissez-en un autre")
	ErrPasswordNumber     = invalid("password contains the subscriber number", "le mot de passe ne doit pas contenir votre numéro d’abonné")
	ErrPasswordShortCNIL  = invalid("password shorter than 12 characters", "le mot de passe doit comporter 12 caractères au minimum")
	ErrPasswordLongCNIL   = invalid("password longer than 64 characters", "le mot de passe doit comporter 64 caractères au maximum")
	ErrPasswordUnreadable = invalid("password holds characters that cannot be typed", "le mot de passe comporte un caractère qui ne peut pas être saisi au clavier")

	ErrQuestionUnknown = invalid("trust question unknown", "choisissez une question de confiance dans la liste")
	ErrAnswerMissing   = invalid("trust answer missing", "saisissez la réponse à la question de confiance")
	ErrAnswerLong      = invalid("trust answer longer than 100 characters", "la réponse de confiance doit comporter 100 caractères au maximum")
	ErrAnswerShort     = invalid("trust answer of one character", "la réponse de confiance doit comporter deux lettres ou chiffres au minimum")
	ErrAnswerQuestion  = invalid("trust answer made of the question's words", "la réponse de confiance ne doit pas reprendre seulement des mots de la question\u00a0: donnez une réponse que vous seul connaissez")

	ErrCodeFormat = invalid("activation code must be 12 letters and digits", "le code d’activation comporte 12 lettres et chiffres, par exemple ABCD-1234-EFGH")

	ErrHolderMissing = invalid("holder missing", "titulaire manquant")
	ErrHolderLong    = invalid("holder longer than 200 characters", "titulaire trop long\u00a0: 200 caractères au maximum")

	ErrSerialMissing = invalid("certificate serial number missing", "numéro de série du certificat manquant")
	ErrSerialFormat  = invalid("certificate serial number must be hexadecimal, 40 digits at most", "numéro de série invalide\u00a0: chiffres hexadécimaux attendus (0-9, A-F), 40 au maximum")
	ErrIssuerLong    = invalid("issuer longer than 500 characters", "émetteur trop long\u00a0: 500 caractères au maximum")

	ErrSIREN       = invalid("SIREN must be 9 digits", "SIREN invalide\u00a0: 9 chiffres attendus")
	ErrCompanyName = invalid("company name missing or longer than 200 characters", "raison sociale manquante ou trop longue (200 caractères au maximum)")
	ErrServiceName = invalid("service name longer than 100 characters", "nom de service trop long\u00a0: 100 caractères au maximum")
)
