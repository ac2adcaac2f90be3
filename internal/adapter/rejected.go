package adapter

import "github.com/spec-kitty/causal"

// Room is what a [causal.RejectedStorage] has stored.
type Room struct {
	Count, Bytes int64
	Old          *int64 // size of what is stored under the key, nil if nothing is
}

// Has reports whether there is room for r, in place of what is stored under its key.
func (s Room) Has(r causal.Rejected) bool {
	size := int64(r.Size())
	if s.Old != nil {
		return size <= causal.MaxRejectedSize && s.Bytes-*s.Old+size <= causal.MaxRejectedBytes
	}
	return size <= causal.MaxRejectedSize && s.Bytes+size <= causal.MaxRejectedBytes && s.Count < causal.MaxRejected
}
