// Package input reads events from files of JSON lines, stores in files, and
// databases.
package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spec-kitty/causal"
)

// Fault is a part of an input that is not shown: it is not an event, or the
// same ID has different content elsewhere.
type Fault struct {
	Source  string         // the name of the input
	Line    int            // from 1, 0 if the input has no lines
	EventID causal.EventID // empty if unknown
	Err     error
}

// String returns the position and the reason.
func (f Fault) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %v", f.Source, f.Err)
	}
	return fmt.Sprintf("%s:%d: %v", f.Source, f.Line, f.Err)
}

// Set is the combined content of several inputs. It belongs to the caller of
// the Reader, who may modify it.
type Set struct {
	Events  []causal.Event // one for each ID, in reading order
	Sources []string       // the names of the inputs, without the password of a database
	Read    int            // number of lines or stored events
	Faults  []Fault        // in reading order

	known map[causal.EventID]int // the index of each event
	lines []int                  // of each event, 0 if its input has no lines
	from  []int                  // the source of each event
}

// Place returns where an event was read, for example "file:12".
func (s *Set) Place(id causal.EventID) string {
	k, ok := s.known[id]
	switch {
	case !ok:
		return ""
	case s.lines[k] == 0:
		return s.Sources[s.from[k]]
	}
	return fmt.Sprintf("%s:%d", s.Sources[s.from[k]], s.lines[k])
}

// Reader reads inputs. The zero value is ready to use, except for standard
// input. It is not safe for concurrent use.
type Reader struct {
	Stdin  io.Reader
	Schema string                // of databases
	Bytes  func(n int, of int64) // called after reading n bytes of a file of size of, 0 if unknown
}

// Stdin is the name of the standard input.
const Stdin = "<stdin>"

// Read reads all inputs, or standard input if there are none. Something that is
// not an event is a Fault; an unreadable input is an error.
func (r *Reader) Read(ctx context.Context, names []string) (*Set, error) {
	s := &Set{known: map[causal.EventID]int{}}
	if len(names) == 0 {
		names = []string{"-"}
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if err := r.readOne(ctx, s, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (r *Reader) readOne(ctx context.Context, s *Set, name string) error {
	if name == "-" {
		s.Sources = append(s.Sources, Stdin)
		return r.readLines(ctx, s, Stdin, stream(ctx, func() (io.Reader, error) { return r.Stdin, nil }), 0)
	}
	if IsDatabase(name) || IsStore(name) {
		store, err := OpenForReading(ctx, name, r.Schema)
		if err != nil {
			return err
		}
		err = s.readStore(ctx, store)
		if closeErr := store.Close(); err == nil {
			err = closeErr
		}
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", name)
	}
	s.Sources = append(s.Sources, name)
	if !info.Mode().IsRegular() {
		return r.readLines(ctx, s, name, stream(ctx, func() (io.Reader, error) { return os.Open(name) }), 0)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return r.readLines(ctx, s, name, f, info.Size())
}

// stream reads an input that may block, such as a pipe, until ctx is done.
func stream(ctx context.Context, open func() (io.Reader, error)) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	go func() {
		from, err := open()
		if err == nil {
			_, err = io.Copy(in, from)
		}
		_ = in.CloseWithError(err)
	}()
	return out
}

func (s *Set) readStore(ctx context.Context, store *Store) error {
	s.Sources = append(s.Sources, store.Name)
	for e, err := range store.AllEvents(ctx) {
		if err != nil {
			return fmt.Errorf("%s: %w", store.Name, err)
		}
		s.Read++
		s.add(e, store.Name, 0)
	}
	return nil
}

func (s *Set) add(e causal.Event, source string, line int) {
	first, ok := s.known[e.ID()]
	switch {
	case !ok:
		s.known[e.ID()] = len(s.Events)
		s.Events, s.lines, s.from = append(s.Events, e), append(s.lines, line), append(s.from, len(s.Sources)-1)
	case !s.Events[first].Equal(e):
		s.Faults = append(s.Faults, Fault{source, line, e.ID(), &causal.IDConflictError{IDs: []causal.EventID{e.ID()}}})
	}
}

// counter counts bytes read.
type counter struct {
	io.Reader
	size  int64
	bytes func(n int, of int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if c.bytes != nil {
		c.bytes(n, c.size)
	}
	return n, err
}

// errNotEvents is the error for a file that is neither kind of input.
var errNotEvents = errors.New("neither events as JSON lines nor a store of causal")

// readLines reads events, one on each line, however long.
func (r *Reader) readLines(ctx context.Context, s *Set, name string, in io.Reader, size int64) error {
	lines := bufio.NewReaderSize(&counter{in, size, r.Bytes}, 1<<16)
	if head, _ := lines.Peek(2); string(head) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(lines)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		lines = bufio.NewReaderSize(unpacked, 1<<16)
	}
	if head, _ := lines.Peek(512); bytes.IndexByte(head, 0) >= 0 {
		return fmt.Errorf("%s: %w", name, errNotEvents)
	}
	if head, _ := lines.Peek(3); string(head) == "\ufeff" { // written by Windows programs
		_, _ = lines.Discard(3)
	}
	for from := 1; ; {
		part, size := [][]byte(nil), 0
		var err error
		for err == nil && size < 1<<20 {
			var line []byte
			line, err = lines.ReadBytes('\n')
			part, size = append(part, line), size+len(line)
		}
		isEnd := errors.Is(err, io.EOF)
		if err != nil && !isEnd {
			return fmt.Errorf("%s: after line %d: %w", name, from+len(part)-2, err)
		}
		s.decode(name, from, part)
		if isEnd || ctx.Err() != nil {
			return ctx.Err()
		}
		from += len(part)
	}
}

// decode adds the events of lines, numbered from the given number. Decoding
// takes most of the time of reading.
func (s *Set) decode(name string, from int, lines [][]byte) {
	events, errs := make([]causal.Event, len(lines)), make([]error, len(lines))
	var work sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for k := range parts {
		work.Go(func() {
			for i := k * len(lines) / parts; i < (k+1)*len(lines)/parts; i++ {
				if line := bytes.TrimSpace(lines[i]); len(line) > 0 {
					errs[i] = events[i].UnmarshalJSON(line)
				}
			}
		})
	}
	work.Wait()
	for i, e := range events {
		switch {
		case errs[i] != nil:
			s.Read++
			s.Faults = append(s.Faults, Fault{name, from + i, "", errs[i]})
		case !e.IsZero():
			s.Read++
			s.add(e, name, from+i)
		}
	}
}

// IsDatabase reports whether a name is the address of a PostgreSQL database.
func IsDatabase(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}
