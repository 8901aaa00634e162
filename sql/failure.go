package sql

import (
	"errors"

	"github.com/lib/pq"
)

// IsPermanent tells an error that a statement meets again however often it is
// tried: its data, its rights or the schema are at fault, or a trigger refuses it.
// What lacks resources (a full disk, too many connections) or its server is not.
func IsPermanent(err error) bool {
	var pqErr *pq.Error
	if !errors.As(err, &pqErr) {
		return false
	}
	switch pqErr.Code.Class() {
	case "22", "23", "42", "P0":
		return true
	}
	return false
}
