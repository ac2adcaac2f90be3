package causalsync

import "time"

// SetMaxMessage sets a maximum smaller than New allows.
func (r *Replica) SetMaxMessage(n int) { r.options.MaxMessage = n }

// NewSalt makes the replica use another salt from now on. No call may be
// running.
func (r *Replica) NewSalt() {
	before := r.now
	r.now = func() time.Time { return before().Add(saltLife) }
}
