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

// SetReadingEvery sets how many entries come between two checkpoints while the log is read, and
// returns how to undo that.
func SetReadingEvery(entries uint64) (undo func()) {
	before := readingEvery
	readingEvery = entries
	return func() { readingEvery = before }
}
