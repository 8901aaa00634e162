package conversion

import "log/slog"

// A secret is a text in the form in which it is hashed and compared. It is never printed
// (R17).
type secret struct{ normal string }

// String hides the secret.
func (secret) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (secret) GoString() string { return "[secret]" }

// LogValue keeps secrets out of structured logs (I6).
func (secret) LogValue() slog.Value { return slog.StringValue("[secret]") }
