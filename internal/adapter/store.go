package adapter

import (
	"errors"
	"io"

	"github.com/spec-kitty/causal"
)

// Store is what each store of this repository is.
type Store interface {
	causal.EventStore
	causal.BatchSaver
	causal.LogReader
	causal.ClockStorage
	causal.ClockAdvancer
	causal.ErrorStorage
	io.Closer
}

// EncodeEvent returns the JSON of an event, which must not be longer than limit, in
// bytes.
func EncodeEvent(e causal.Event, limit int) ([]byte, error) {
	data, err := e.MarshalJSON()
	if err == nil && len(data) > limit {
		return nil, errors.New("the event is too large")
	}
	return data, err
}

// EncodeEntry is [EncodeEvent] for an entry of the error log.
func EncodeEntry(e causal.ErrorEntry, limit int) ([]byte, error) {
	data, err := e.MarshalJSON()
	if err == nil && len(data) > limit {
		return nil, errors.New("the entry is too large")
	}
	return data, err
}
