package causalsqlite

import (
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// rows are rows of events. Decoding takes longer than reading, so enough rows
// are read first, and are then decoded by all CPUs.
type rows struct {
	all  []row
	data []byte // of all rows, concatenated
}

// row is the part of an event read from the file.
type row struct {
	position   int64
	hash       [8]byte
	start, end int // of its data
	event      causal.Event
	err        error
}

func (r *row) size() int { return r.end - r.start }

// maxRows is the number of rows read before decoding them, where it does not
// matter.
const maxRows = 1024

var rowsPool sync.Pool

// newRows returns empty rows, which the caller must free.
func newRows() *rows {
	r, ok := rowsPool.Get().(*rows)
	if !ok {
		r = &rows{}
	}
	return r
}

func (r *rows) free() {
	if cap(r.data) > 2*adapter.MaxPageBytes { // as after a large event
		r.data = nil
	}
	r.reset()
	rowsPool.Put(r)
}

func (r *rows) reset() {
	clear(r.all)
	r.all, r.data = r.all[:0], r.data[:0]
}

// add adds a row of a query for position, data and more columns.
func (r *rows) add(s *sqlite.Stmt) *row {
	start := len(r.data)
	r.data = appendColumn(r.data, s, 1)
	r.all = append(r.all, row{position: s.ColumnInt64(0), start: start, end: len(r.data)})
	return &r.all[len(r.all)-1]
}

// isFull reports whether there are limit rows, or enough bytes.
func (r *rows) isFull(limit int) bool {
	return len(r.all) >= limit || len(r.data) >= adapter.MaxPageBytes
}

// decode yields the rows with their events, up to the first damaged one, and
// its error.
func (r *rows) decode() iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		inParallel(len(r.all), func(from, to int) {
			for i := range r.all[from:to] {
				row := &r.all[from+i]
				row.err = row.event.UnmarshalJSON(r.data[row.start:row.end])
			}
		})
		for i := range r.all {
			row := &r.all[i]
			if row.err != nil {
				yield(nil, adapter.Damaged(row.position))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// inParallel calls f with parts of a range, from several goroutines if it is
// long.
func inParallel(n int, f func(from, to int)) {
	const part = 32 // takes about ten times as long as starting a goroutine
	var next atomic.Int64
	work := func() {
		for {
			to := int(next.Add(part))
			if to-part >= n {
				return
			}
			f(to-part, min(to, n))
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/part) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
