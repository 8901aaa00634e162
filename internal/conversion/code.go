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
// around it: a full stop, brackets. It returns ErrCodeFormat.
func ParseCode(s string) (Code, error) {
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

// Nonce is the random part of a request's codes, 16 bytes.
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
		k, err := deriveKey(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
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

func deriveKey(raw []byte) (key, error) {
	var k key
	id := make([]byte, 4)
	for _, d := range []struct {
		label string
		to    *[]byte
		size  int
	}{
		{"bascule code", &k.code, 32}, {"bascule tag", &k.tag, 32}, {"bascule bucket", &k.bucket, 32},
		{"bascule return path", &k.path, 32}, {"bascule proof", &k.proof, 32}, {"bascule firm sheet", &k.firm, 32},
		{"bascule key check", &k.check, 16}, {"bascule key id", &id, 4},
	} {
		out, err := hkdf.Key(sha256.New, raw, nil, d.label, d.size)
		if err != nil {
			return key{}, err
		}
		*d.to = out
	}
	k.id = KeyID(hex.EncodeToString(id))
	return k, nil
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

// The purposes of a code. Each goes into the computation of the code.
const (
	activationLabel = "bascule activation code"
	resetLabel      = "bascule reset code"
	identifierLabel = "bascule identifier code"
)

// Code computes the code of one generation of a request for one address. It
// returns ErrKeyUnknown if id is not on the ring.
func (r *Keyring) Code(id KeyID, nonce Nonce, generation int, to Email) (Code, error) {
	return r.compute(activationLabel, id, nonce, generation, to)
}

// ResetCode computes the code for a new password of a password space (R31). It
// activates nothing, and an activation code resets nothing. It returns ErrKeyUnknown if
// id is not on the ring.
func (r *Keyring) ResetCode(id KeyID, nonce Nonce, generation int, to Email) (Code, error) {
	return r.compute(resetLabel, id, nonce, generation, to)
}

// IdentifierCode computes the code that proves another identifier of a password
// space. It is good for nothing else. It returns ErrKeyUnknown if id is not on the
// ring.
func (r *Keyring) IdentifierCode(id KeyID, nonce Nonce, generation int, to Email) (Code, error) {
	return r.compute(identifierLabel, id, nonce, generation, to)
}

func (r *Keyring) compute(label string, id KeyID, nonce Nonce, generation int, to Email) (Code, error) {
	k, err := r.key(id)
	if err != nil {
		return Code{}, err
	}
	return k.codeOf(label, nonce, generation, to), nil
}

func (k key) codeOf(label string, nonce Nonce, generation int, to Email) Code {
	mac := hmac.New(sha256.New, k.code)
	mac.Write([]byte(label))
	mac.Write([]byte{0})
	mac.Write(nonce[:])
	var g [4]byte
	binary.BigEndian.PutUint32(g[:], uint32(generation))
	mac.Write(g[:])
	mac.Write([]byte(to.Key()))
	return Code{crockfordEncoding.EncodeToString(mac.Sum(nil))[:codeSymbols]}
}

// FirstCode draws the random part of a request's first code. It computes the tag of the
// code that the newest key makes for one address.
func (r *Keyring) FirstCode(to Email) (Nonce, Tag) {
	var nonce Nonce
	rand.Read(nonce[:]) // never fails
	k := r.keys[0]
	return nonce, k.tagOf(to, k.codeOf(activationLabel, nonce, 1, to))
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
	mac := hmac.New(sha256.New, k.tag)
	mac.Write([]byte(to.Key()))
	mac.Write([]byte{0})
	mac.Write([]byte(code.symbols))
	return Tag(mac.Sum(nil)[:8])
}

// Bucket names a throttling bucket without telling its owner (I6). The 16 bytes are the
// same only for the same parts and the same newest key.
func (r *Keyring) Bucket(parts ...string) []byte {
	mac := hmac.New(sha256.New, r.keys[0].bucket)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s,", len(p), p)
	}
	return mac.Sum(nil)[:16]
}

// SignPath signs a return path, so that only bounces of our own mails count:
// ten lower-case symbols.
func (r *Keyring) SignPath(s string) string { return signPath(r.keys[0], s) }

// VerifyPath tells whether one of the keys made the signature. Case does not count, as
// mail servers on the way may change it.
func (r *Keyring) VerifyPath(s, signature string) bool {
	for _, k := range r.keys {
		if hmac.Equal([]byte(signPath(k, s)), []byte(strings.ToLower(signature))) {
			return true
		}
	}
	return false
}

func signPath(k key, s string) string {
	mac := hmac.New(sha256.New, k.path)
	mac.Write([]byte(s))
	return strings.ToLower(crockfordEncoding.EncodeToString(mac.Sum(nil))[:10])
}

// Prove answers a challenge, which only who holds the newest key can do. It tells
// nothing of the key.
func (r *Keyring) Prove(challenge string) string { return prove(r.keys[0], challenge) }

// Proves tells whether one of the keys answered the challenge so.
func (r *Keyring) Proves(challenge, answer string) bool {
	for _, k := range r.keys {
		if hmac.Equal([]byte(prove(k, challenge)), []byte(answer)) {
			return true
		}
	}
	return false
}

func prove(k key, challenge string) string {
	mac := hmac.New(sha256.New, k.proof)
	mac.Write([]byte(challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

func (r *Keyring) key(id KeyID) (key, error) {
	for _, k := range r.keys {
		if k.id == id {
			return k, nil
		}
	}
	return key{}, fmt.Errorf("%w: %s", ErrKeyUnknown, id)
}
