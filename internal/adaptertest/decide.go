package adaptertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Operation is a call of one of several processes working on a log, and its
// outcome.
type Operation struct {
	Client       int
	Call, Return int64 // nanoseconds of one clock
	// Aggregate is the aggregate of the saved event, or "" for a call of Head.
	Aggregate     string
	IsConditional bool   // on that aggregate, after the position After
	After         uint64 // if conditional
	Refused       bool   // with ErrConcurrentSave
	Before, Head  uint64 // positions of the log before and after
}

// Decide makes calls on a store whose aggregates are changed by others, and
// prints them.
func Decide(t *testing.T, s adapter.Store, client int) {
	const calls = 60
	ctx := t.Context()
	var known causal.Cursor
	for n := range calls {
		o := Operation{Client: client, After: known.Position(), Call: time.Now().UnixNano()}
		var a causal.Appended
		var err error
		kind := rand.IntN(6)
		if kind > 0 {
			o.Aggregate = string(rune('A' + rand.IntN(3)))
		}
		e := eventtest.New(t, client*calls+n, func(p *causal.EventParams) { p.AggregateID = o.Aggregate + "." })
		switch kind {
		case 0:
			a.After, err = s.Head(ctx)
			known = a.After
		case 1:
			a, err = s.Append(ctx, []causal.Event{e})
		default:
			o.IsConditional = true
			condition := causal.Condition{ProjectUUID: e.ProjectUUID(), Aggregates: []string{e.AggregateID()}}
			a, err = s.SaveEventsIf(ctx, known, condition, []causal.Event{e})
		}
		o.Return = time.Now().UnixNano()
		if o.Refused = errors.Is(err, causal.ErrConcurrentSave); !o.Refused {
			require.NoError(t, err)
			o.Before, o.Head = a.Before.Position(), a.After.Position()
			if rand.IntN(2) == 0 {
				known = a.After
			}
		}
		text, err := json.Marshal(o)
		require.NoError(t, err)
		fmt.Println("operation", string(text))
	}
}

// Decided runs the processes, and returns all their operations.
func Decided(t *testing.T, processes []*exec.Cmd) (all []Operation) {
	t.Helper()
	var outputs []*bufio.Scanner
	for _, cmd := range processes {
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		outputs = append(outputs, bufio.NewScanner(out))
	}
	for i, lines := range outputs {
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "operation ")
			if !ok {
				continue
			}
			var o Operation
			require.NoError(t, json.Unmarshal([]byte(text), &o))
			all = append(all, o)
		}
		require.NoError(t, processes[i].Wait())
	}
	return all
}

// Step is the sequential specification of an operation on a log, whose entries
// are the letters of a text. It reports whether the operation can have this
// outcome, and returns the log after it.
func (o Operation) Step(log string) (bool, string) {
	length := uint64(len(log))
	switch {
	case o.Refused:
		return o.isInWay(log), log
	case o.Aggregate == "":
		return o.Head == length, log
	case o.IsConditional && o.isInWay(log):
		return false, log
	}
	return o.Before == length && o.Head == length+1, log + o.Aggregate
}

func (o Operation) isInWay(log string) bool {
	return o.After > uint64(len(log)) || strings.Contains(log[o.After:], o.Aggregate)
}
