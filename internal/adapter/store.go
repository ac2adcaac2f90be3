package adapter

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spec-kitty/causal"
)

// Store is implemented by each store of this repository.
type Store interface {
	causal.Store
	io.Closer
}

// Encode returns the JSON to store, which must not exceed limit bytes. It has a
// type parameter so that an event need not be moved to the heap.
func Encode[T json.Marshaler](what string, v T, limit int) ([]byte, error) {
	data, err := v.MarshalJSON()
	if err == nil && len(data) > limit {
		return nil, fmt.Errorf("the %s is too large", what)
	}
	return data, err
}
