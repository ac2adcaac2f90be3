package causalsync

import "time"

// SetMaxMessage has messages that are smaller than New allows.
func (r *Replica) SetMaxMessage(n int) { r.options.MaxMessage = n }

// NewSalt has the replica use another salt from now on. No call may run meanwhile.
func (r *Replica) NewSalt() {
	before := r.now
	r.now = func() time.Time { return before().Add(saltLife) }
}
