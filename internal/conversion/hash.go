package conversion

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hash is an Argon2id hash in PHC format. Nothing else is kept of a password or of a
// trust answer (R17, R18). A malformed or empty Hash matches nothing, and the
// comparison takes no time. A page that must hide whether an address is known compares
// with another Hash instead.
type Hash string

// The cost of one hash: some tens of milliseconds, and 19 MiB. The caller bounds how
// many run at once (I8).
const (
	argonTime    = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
	argonSalt    = 16
	argonLength  = 32
)

// Hash hashes the password with a fresh salt.
func (p Password) Hash() Hash { return hashSecret(p.secret) }

// Hash hashes the answer with a fresh salt.
func (a TrustAnswer) Hash() Hash { return hashSecret(a.normal) }

// MatchesPassword tells whether s, as typed, is the password hashed here.
func (h Hash) MatchesPassword(s string) bool { return h.matches(normalPassword(s)) }

// MatchesAnswer tells whether a is the answer hashed here.
func (h Hash) MatchesAnswer(a TrustAnswer) bool { return h.matches(a.normal) }

// LogValue keeps hashes out of structured logs (I6).
func (h Hash) LogValue() slog.Value { return slog.StringValue("[hash]") }

func hashSecret(secret string) Hash {
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails: crypto/rand ends the process instead
	p := phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: salt}
	p.sum = p.derive(secret, argonLength)
	return p.hash()
}

func (h Hash) matches(secret string) bool {
	p, ok := h.parse()
	return ok && subtle.ConstantTimeCompare(p.derive(secret, len(p.sum)), p.sum) == 1
}

// phc is a hash taken apart.
type phc struct {
	memory, time uint32 // KiB, passes
	threads      uint8
	salt, sum    []byte
}

func (p phc) derive(secret string, size int) []byte {
	return argon2.IDKey([]byte(secret), p.salt, p.time, p.memory, p.threads, uint32(size))
}

func (p phc) hash() Hash {
	b64 := base64.RawStdEncoding.EncodeToString
	return Hash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.memory, p.time, p.threads, b64(p.salt), b64(p.sum)))
}

// parse takes a hash apart. It refuses costs that no release of ours asks for,
// and every spelling but the one that hash writes.
func (h Hash) parse() (phc, bool) {
	parts := strings.Split(string(h), "$")
	if len(parts) != 6 {
		return phc{}, false
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return phc{}, false
	}
	var errSalt, errSum error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	p.sum, errSum = base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errSum != nil || !p.bearable() || p.hash() != h {
		return phc{}, false
	}
	return p, true
}

// bearable bounds the cost of a stored hash (I8). We can raise our own parameters; a
// forged row cannot exhaust the memory or stop the process.
func (p phc) bearable() bool {
	return p.time >= 1 && p.time <= 8 && p.threads >= 1 && p.threads <= 4 && p.memory <= 64*1024 &&
		len(p.salt) >= 8 && len(p.salt) <= 64 && len(p.sum) >= 16 && len(p.sum) <= 64
}
