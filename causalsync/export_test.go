package causalsync

// SetMaxMessage has messages that are smaller than New allows.
func (r *Replica) SetMaxMessage(n int) { r.options.MaxMessage = n }

// NewSalt has the replica use another salt from now on.
func (r *Replica) NewSalt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.salted = r.salted.Add(-2 * saltLife)
}
