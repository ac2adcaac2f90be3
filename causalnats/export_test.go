package causalnats

import "time"

// SetWaitLimit sets how long WaitLog waits at most.
func (s *Store) SetWaitLimit(limit time.Duration) { s.waiters.Limit = limit }
