package conversion

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bascule/internal/text"
)

// Code is an activation code: 60 bits as twelve symbols of Crockford's base 32.
// It proves exactly the address it was mailed to.
type Code struct{ symbols string }

const codeSymbols = 12

// crockford has no I, L, O and U: they are misread, or spell words.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// minusSign passes for a hyphen, though Unicode counts it among the symbols.
const minusSign = '\u2212'

var crockfordEncoding = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)

// ParseCode reads a code as people type it: upper or lower case, with blanks or hyphens
// of any kind anywhere, O for 0, I or L for 1. It drops characters that a copy left
// around it: a full stop, brackets, the words of the mail in front. It returns
// ErrCodeFormat.
func ParseCode(s string) (Code, error) {
	if c, err := readSymbols(s); err == nil {
		return c, nil // also if it begins like the words
	}
	return readSymbols(codeLabel.ReplaceAllLiteralString(s, ""))
}

// codeLabel is what mails say in front of a code. A field of one line drops the line
// feed between them.
var codeLabel = regexp.MustCompile(`(?i)^[\s\pZ]*(?:votre[\s\pZ]+)?code(?:[\s\pZ]+d['’]activation)?[\s\pZ]*:?`)

func readSymbols(s string) (Code, error) {
	var b strings.Builder
	for _, r := range strings.TrimFunc(s, isSign) {
		if text.IsBlank(r) || unicode.Is(unicode.Pd, r) || r == minusSign {
			continue
		}
		r = unicode.ToUpper(r)
		switch r {
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if b.Len() == codeSymbols || !strings.ContainsRune(crockford, r) {
			return Code{}, ErrCodeFormat
		}
		b.WriteRune(r)
	}
	if b.Len() != codeSymbols {
		return Code{}, ErrCodeFormat
	}
	return Code{b.String()}, nil
}

func isSign(r rune) bool {
	return unicode.IsSpace(r) || r != unicode.ReplacementChar && (unicode.IsPunct(r) || unicode.IsSymbol(r))
}

// String is the code as the mail shows it: XXXX-XXXX-XXXX.
func (c Code) String() string {
	if c.symbols == "" {
		return ""
	}
	return c.symbols[:4] + "-" + c.symbols[4:8] + "-" + c.symbols[8:]
}

// LogValue keeps codes out of structured logs (I6).
func (c Code) LogValue() slog.Value { return slog.StringValue("[code]") }

// Equal compares in constant time.
func (c Code) Equal(other Code) bool {
	return c.symbols != "" && hmac.Equal([]byte(c.symbols), []byte(other.symbols))
}

// Nonce is the random part of a code, 16 bytes.
type Nonce [16]byte

// Tag finds a code in the database without telling it.
type Tag [8]byte

// KeyID names one secret key without telling it: 8 hexadecimal digits.
type KeyID string

// ErrKeyUnknown says that SECRET_KEY lacks the key of a request.
var ErrKeyUnknown = errors.New("secret key unknown")

// Keyring holds the secret keys, newest first. Codes are computed, never stored. A
// stolen database holds no code without the key.
type Keyring struct {
	keys []key
}

type key struct {
	id     KeyID
	code   []byte // K₁: makes codes
	tag    []byte // K₂: makes tags
	bucket []byte // makes the names of throttling buckets
	path   []byte // signs return paths
	proof  []byte // answers challenges
	firm   []byte // signs the lines of firms' sheets
	check  []byte // recognises the key, see Check
}

// minKeyBytes makes guessing the key harder than guessing a code.
const minKeyBytes = 32

// ParseKeyring reads SECRET_KEY: one or more keys in base64, separated by
// commas, newest first, each of 32 bytes or more. No error repeats a key.
func ParseKeyring(s string) (*Keyring, error) {
	var ring Keyring
	for i, part := range strings.Split(s, ",") {
		raw, err := decodeBase64(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("key %d is not base64", i+1)
		}
		if len(raw) < minKeyBytes {
			return nil, fmt.Errorf("key %d has %d bytes, at least %d are needed", i+1, len(raw), minKeyBytes)
		}
		k := deriveKey(raw)
		if slices.Contains(ring.IDs(), k.id) {
			return nil, fmt.Errorf("key %d stands twice", i+1)
		}
		ring.keys = append(ring.keys, k)
	}
	return &ring, nil
}

// String hides the keys.
func (r *Keyring) String() string { return "[keyring]" }

// GoString hides the keys from %#v.
func (r *Keyring) GoString() string { return "[keyring]" }

func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

func deriveKey(raw []byte) key {
	derive := func(label string) []byte {
		secret, err := hkdf.Key(sha256.New, raw, nil, label, sha256.Size)
		if err != nil {
			panic(err) // cannot happen: the key is long enough, and the secret short enough
		}
		return secret
	}
	return key{
		id:   KeyID(hex.EncodeToString(derive("bascule key id")[:4])),
		code: derive("bascule code"), tag: derive("bascule tag"), bucket: derive("bascule bucket"), path: derive("bascule return path"),
		proof: derive("bascule proof"), firm: derive("bascule firm sheet"), check: derive("bascule key check")[:16],
	}
}

// mac authenticates a text, given in parts.
func mac(secret []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, secret)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// symbols are the first so many symbols that stand for some bytes.
func symbols(b []byte, n int) string { return crockfordEncoding.EncodeToString(b)[:n] }

// made tells whether one of the keys made a signature.
func (r *Keyring) made(signature string, sign func(key) string) bool {
	return slices.ContainsFunc(r.keys, func(k key) bool { return hmac.Equal([]byte(sign(k)), []byte(signature)) })
}

// Newest is the key that new requests are made with.
func (r *Keyring) Newest() KeyID { return r.keys[0].id }

// IDs are the keys held, newest first.
func (r *Keyring) IDs() []KeyID {
	ids := make([]KeyID, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.id
	}
	return ids
}

// Check is 16 bytes derived from a key. They recognise the key and tell nothing of it.
// Two keys of the same id have different ones. It returns ErrKeyUnknown if id is not on
// the ring.
func (r *Keyring) Check(id KeyID) ([]byte, error) {
	k, err := r.key(id)
	return k.check, err
}

// A Purpose is what a code is good for. It goes into the computation of the code, so a
// code is good for nothing else.
type Purpose string

// The purposes of a code.
const (
	ForActivation Purpose = "bascule activation code"
	ForReset      Purpose = "bascule reset code" // a new password of a password space (R31)
	ForIdentifier Purpose = "bascule identifier code"
)

// Code computes the code of one generation of a request for one address. It
// returns ErrKeyUnknown if id is not on the ring.
func (r *Keyring) Code(of Purpose, id KeyID, nonce Nonce, generation int, to Email) (Code, error) {
	k, err := r.key(id)
	if err != nil {
		return Code{}, err
	}
	return k.codeOf(of, nonce, generation, to), nil
}

func (k key) codeOf(of Purpose, nonce Nonce, generation int, to Email) Code {
	number := binary.BigEndian.AppendUint32(nil, uint32(generation))
	return Code{symbols(mac(k.code, string(of), "\x00", string(nonce[:]), string(number), to.Key()), codeSymbols)}
}

// FirstCode draws the random part of a request's first code. It computes the tag of the
// code that the newest key makes for one address.
func (r *Keyring) FirstCode(to Email) (Nonce, Tag) {
	var nonce Nonce
	rand.Read(nonce[:]) // never fails
	k := r.keys[0]
	return nonce, k.tagOf(to, k.codeOf(ForActivation, nonce, 1, to))
}

// Tag computes the tag that finds a code. It returns ErrKeyUnknown if id is not on the
// ring.
func (r *Keyring) Tag(id KeyID, to Email, code Code) (Tag, error) {
	k, err := r.key(id)
	if err != nil {
		return Tag{}, err
	}
	return k.tagOf(to, code), nil
}

// Tags are the tags that a code may have, one for each key on the ring.
func (r *Keyring) Tags(to Email, code Code) []Tag {
	tags := make([]Tag, len(r.keys))
	for i, k := range r.keys {
		tags[i] = k.tagOf(to, code)
	}
	return tags
}

func (k key) tagOf(to Email, code Code) Tag {
	return Tag(mac(k.tag, to.Key(), "\x00", code.symbols)[:8])
}

// Bucket names a throttling bucket without telling its owner (I6). The 16 bytes are the
// same only for the same parts and the same newest key.
func (r *Keyring) Bucket(parts ...string) []byte {
	var name strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&name, "%d:%s,", len(p), p)
	}
	return mac(r.keys[0].bucket, name.String())[:16]
}

// SignPath signs a return path, so that only bounces of our own mails count:
// ten lower-case symbols.
func (r *Keyring) SignPath(s string) string { return r.keys[0].signPath(s) }

// VerifyPath tells whether one of the keys made the signature. Case does not count, as
// mail servers on the way may change it.
func (r *Keyring) VerifyPath(s, signature string) bool {
	return r.made(strings.ToLower(signature), func(k key) string { return k.signPath(s) })
}

func (k key) signPath(s string) string { return strings.ToLower(symbols(mac(k.path, s), 10)) }

// Prove answers a challenge, which only who holds the newest key can do. It tells
// nothing of the key.
func (r *Keyring) Prove(challenge string) string { return r.keys[0].prove(challenge) }

// Proves tells whether one of the keys answered the challenge so.
func (r *Keyring) Proves(challenge, answer string) bool {
	return r.made(answer, func(k key) string { return k.prove(challenge) })
}

func (k key) prove(challenge string) string { return hex.EncodeToString(mac(k.proof, challenge)) }

func (r *Keyring) key(id KeyID) (key, error) {
	for _, k := range r.keys {
		if k.id == id {
			return k, nil
		}
	}
	return key{}, fmt.Errorf("%w: %s", ErrKeyUnknown, id)
}
