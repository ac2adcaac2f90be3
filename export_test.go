package causal

import "time"

// Waiting returns the number of emissions waiting to be saved.
func (n *Node) Waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.queue)
}

// SetPatience sets how long Close waits.
func (n *Node) SetPatience(d time.Duration) { n.patience = d }

// SetReadingEvery sets the number of entries between two checkpoints while the
// log is read, until undo is called.
func SetReadingEvery(entries uint64) (undo func()) {
	before := readingEvery
	readingEvery = entries
	return func() { readingEvery = before }
}
