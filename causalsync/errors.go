package causalsync

import (
	"errors"
	"strconv"

	"github.com/spec-kitty/causal"
)

// Sentinels for [errors.Is]. Error texts of this package contain event IDs at
// most, and nothing else from events or peers.
var (
	// ErrProtocol reports a violation of the protocol, or an answer to another
	// request. Everything received before is stored.
	ErrProtocol = errors.New("causalsync: the peer violated the protocol")
	// ErrRefused reports a peer refusing to sync with this replica now or
	// later. See [RefusedError].
	ErrRefused = errors.New("causalsync: the peer refuses")
	// ErrLimit reports a Sync stopped after storing [SyncOptions.MaxEvents] new
	// events. The next Sync continues.
	ErrLimit = errors.New("causalsync: the maximum number of events was stored")
	// ErrNotAllowed reports an event refused because a filter does not select
	// it, by [Options.Accept], or because the store is read-only.
	ErrNotAllowed = errors.New("causalsync: the event is not allowed")
	// ErrTooLarge reports an event too large for a message of one of the two
	// sides. See [Options.MaxMessage].
	ErrTooLarge = errors.New("causalsync: the event is larger than a message may be")
)

// RefusedError is the reason why the peer does not sync. It matches
// [ErrRefused]. The zero value gives no reason.
type RefusedError struct {
	// Code is defined by the protocol: 1 for another version of it, 2 for a
	// filter that either side cannot serve, 3 for a request that is too large.
	Code uint64
}

// Codes for refusing a sync.
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

// errVersion reports a request of another version.
var errVersion = errors.New("the request has another version of the protocol")

// brokenError describes a violation of the protocol. The text is one of ours.
type brokenError string

func broken(reason string) error { return brokenError(reason) }

func (e brokenError) Error() string        { return ErrProtocol.Error() + ": " + string(e) }
func (e brokenError) Is(target error) bool { return target == ErrProtocol }

// Codes for refusing an event.
const (
	codeInvalid = 1 + iota
	codeConflict
	codeClock
	codeNotAllowed
	codeTooLarge
	codeOther
)

// codes maps codes to errors.
var codes = map[uint64]error{
	codeInvalid: causal.ErrValidation, codeConflict: causal.ErrIDConflict, codeClock: causal.ErrClockJump,
	codeNotAllowed: ErrNotAllowed, codeTooLarge: ErrTooLarge,
}

var errOther = errors.New("causalsync: the peer gives an unknown reason")

// codeOf returns the code for the reason why an event was refused.
func codeOf(err error) uint64 {
	for code := range uint64(codeOther) {
		if target := codes[code]; target != nil && errors.Is(err, target) {
			return code
		}
	}
	if errors.Is(err, causal.ErrClockOverflow) {
		return codeClock
	}
	return codeOther
}

// errorOf returns the error for a code.
func errorOf(code uint64) error {
	if err := codes[code]; err != nil {
		return err
	}
	return errOther
}
