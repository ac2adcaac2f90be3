package adapter

import "slices"

// Limits of the requests in one transaction, which limit how long a caller
// waits.
const (
	maxGroup      = 256
	maxGroupBytes = 4 << 20
)

// Queue holds the requests waiting to share a transaction, in order. The zero
// value is empty. It is not safe for concurrent use.
type Queue[R interface {
	comparable
	Size() int // in bytes, approximately
}] struct {
	waiting []R
}

// Len returns the number of requests.
func (q *Queue[R]) Len() int { return len(q.waiting) }

// Push adds a request at the end.
func (q *Queue[R]) Push(r R) { q.waiting = append(q.waiting, r) }

// Withdraw removes a request, and reports whether it was there.
func (q *Queue[R]) Withdraw(r R) bool {
	i := slices.Index(q.waiting, r)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// Take removes and returns the first requests: at least one, if there is any,
// and as many as are not too large together and fit. If there are several, fits
// is called for each in turn, and must accept the first; nil accepts all.
func (q *Queue[R]) Take(fits func(R) bool) []R {
	n, size := 0, 0
	for n < len(q.waiting) && n < maxGroup {
		r := q.waiting[n]
		size += r.Size()
		if n > 0 && size > maxGroupBytes || len(q.waiting) > 1 && fits != nil && !fits(r) {
			break
		}
		n++
	}
	taken := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return taken
}
