package causalsync

import (
	"errors"
	"strconv"

	"github.com/spec-kitty/causal"
)

// Sentinels for [errors.Is]. The text of an error of this package contains event IDs at most, and nothing else
// of an event or of what a peer has sent.
var (
	// ErrProtocol means that the peer has sent something that the protocol does not allow, or answered something
	// else than it was asked. What was received before is stored.
	ErrProtocol = errors.New("causalsync: the peer broke the protocol")
	// ErrRefused means that the peer does not sync with this replica, and will not do so if it is asked again:
	// see [RefusedError].
	ErrRefused = errors.New("causalsync: the peer refuses")
	// ErrLimit means that a Sync has stored [SyncOptions.MaxEvents] new events, and was stopped. The next Sync goes
	// on.
	ErrLimit = errors.New("causalsync: as many events were stored as may be")
	// ErrNotAllowed means that an event was not taken because a filter does not select it, because of
	// [Options.Accept], or because the store cannot be written.
	ErrNotAllowed = errors.New("causalsync: the event is not allowed")
	// ErrTooLarge means that an event does not fit in a message of one of the two sides: see
	// [Options.MaxMessage].
	ErrTooLarge = errors.New("causalsync: the event is larger than a message may be")
)

// RefusedError says why the peer does not sync. It matches [ErrRefused]. The zero value gives no reason.
type RefusedError struct {
	// Code is that of the protocol: 1 for another version of it, 2 for a filter that the peer cannot serve or that
	// this replica cannot do with, 3 for a request that is too large.
	Code uint64
}

// The codes of a refusal to sync.
const (
	codeVersion = 1 + iota
	codeFilter
	codeRequestTooLarge
)

// Error gives the reason.
func (e *RefusedError) Error() string {
	if e == nil {
		return ErrRefused.Error()
	}
	switch e.Code {
	case 0:
		return ErrRefused.Error()
	case codeVersion:
		return ErrRefused.Error() + ": it speaks another version of the protocol"
	case codeFilter:
		return ErrRefused.Error() + ": the filter cannot be agreed on"
	case codeRequestTooLarge:
		return ErrRefused.Error() + ": the request is too large"
	}
	return ErrRefused.Error() + ": reason " + strconv.FormatUint(e.Code, 10)
}

// Is reports whether target is [ErrRefused].
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// errVersion is of a request of another version.
var errVersion = errors.New("the request is of another version of the protocol")

// brokenError says what breaks the protocol. The text is one of ours.
type brokenError string

func broken(reason string) error { return brokenError(reason) }

func (e brokenError) Error() string        { return ErrProtocol.Error() + ": " + string(e) }
func (e brokenError) Is(target error) bool { return target == ErrProtocol }

// The codes of an event that was not taken.
const (
	codeInvalid = 1 + iota
	codeConflict
	codeClock
	codeNotAllowed
	codeTooLarge
	codeOther
)

// codes are the errors that codes stand for.
var codes = map[uint64]error{
	codeInvalid: causal.ErrValidation, codeConflict: causal.ErrIDConflict, codeClock: causal.ErrClockJump,
	codeNotAllowed: ErrNotAllowed, codeTooLarge: ErrTooLarge,
}

var errOther = errors.New("causalsync: the peer gives a reason that is not known")

// codeOf returns the code for why an event was not taken.
func codeOf(err error) uint64 {
	for code := range uint64(codeOther) {
		if target := codes[code]; target != nil && errors.Is(err, target) {
			return code
		}
	}
	return codeOther
}

// errorOf returns the error that a code stands for.
func errorOf(code uint64) error {
	if err := codes[code]; err != nil {
		return err
	}
	return errOther
}
