package adapter

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spec-kitty/causal"
)

// Store is what each store of this repository is.
type Store interface {
	causal.Store
	io.Closer
}

// Encode returns the JSON of what is to be stored, which must not be longer than limit,
// in bytes. It has a type parameter so that an event need not be moved to the heap.
func Encode[T json.Marshaler](what string, v T, limit int) ([]byte, error) {
	data, err := v.MarshalJSON()
	if err == nil && len(data) > limit {
		return nil, fmt.Errorf("the %s is too large", what)
	}
	return data, err
}
