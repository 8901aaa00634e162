package conversion

import (
	"cmp"
	"errors"
	"time"
)

// State is where a request stands. It is derived from the request's timestamps
// by the database, in one place; nothing stores it.
type State string

// The states of a request. The last four are final.
const (
	StateRequested     State = "requested"     // a mail is to be sent
	StateMailed        State = "mailed"        // the code can be used
	StateActivated     State = "activated"     // the space is switched (R27)
	StateExpired       State = "expired"       // its code has run out (R21)
	StateUndeliverable State = "undeliverable" // the address was refused for good (D11)
	StateCancelled     State = "cancelled"     // by an administrator
)

// States lists every state in the order of a request's life.
func States() []State {
	return []State{StateRequested, StateMailed, StateActivated, StateExpired, StateUndeliverable, StateCancelled}
}

var frenchStates = map[State]string{
	StateRequested: "à envoyer", StateMailed: "courriel envoyé", StateActivated: "activée",
	StateExpired: "expirée", StateUndeliverable: "adresse refusée", StateCancelled: "annulée",
}

// French is the state as an administrator's workbook shows it.
func (s State) French() string { return cmp.Or(frenchStates[s], string(s)) }

// Open tells whether the request can still lead to an activation.
func (s State) Open() bool { return s == StateRequested || s == StateMailed }

// MaxOtherAddresses is how many other addresses than the contact's a request may have
// (D1). That is enough for typing errors, and too few to send unwanted mail.
const MaxOtherAddresses = 3

// MaxResends is how many times an administrator may send the same code again,
// per generation (D3).
const MaxResends = 3

// The refusals of a request. Callers compare with errors.Is.
var (
	// ErrCodeRefused covers a wrong code, an unknown address, an expired code and a
	// used code. Nobody must learn which of them it was.
	ErrCodeRefused = errors.New("code refused")
	// ErrAddressTaken says that another password space has the address (R6).
	ErrAddressTaken = errors.New("address taken by another password space")
	// ErrAddressReserved says that another open request chose the address (R22).
	ErrAddressReserved = errors.New("address has an open request")
	// ErrTooManyAddresses says that MaxOtherAddresses is used up (D1).
	ErrTooManyAddresses = errors.New("too many other addresses")
	// ErrAlreadyActivated says that another submission activated the request.
	ErrAlreadyActivated = errors.New("request already activated")
	// ErrNotFound says that there is no such space or request.
	ErrNotFound = errors.New("not found")
)

// A ReservedError is ErrAddressReserved with the end of the reservation (R22).
type ReservedError struct{ Until time.Time } // zero while the mail has not started

func (e *ReservedError) Error() string { return ErrAddressReserved.Error() }

// Is makes it ErrAddressReserved.
func (e *ReservedError) Is(target error) bool { return target == ErrAddressReserved }
