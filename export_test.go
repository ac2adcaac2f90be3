package causal

import "time"

// Waiting returns how many emissions are waiting to be saved.
func (n *Node) Waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.queue)
}

// SetPatience sets how long Close waits.
func (n *Node) SetPatience(d time.Duration) { n.patience = d }
