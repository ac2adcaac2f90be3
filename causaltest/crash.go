package causaltest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// Crash tells the suite how to kill a process writing to a storage. Command and
// Open are required. The suite calls them from one goroutine. The process is
// usually the test program itself, with a TestMain that begins with
//
//	if path := os.Getenv("MYSTORE_CRASH"); path != "" {
//		log.Fatal(causaltest.Write(context.Background(), mystore.Open(path), os.Stdout))
//	}
//
// and the hook then is
//
//	func(t testing.TB) causaltest.Crash[causal.EventStore] {
//		path := filepath.Join(t.TempDir(), "store")
//		return causaltest.Crash[causal.EventStore]{
//			Command: func() *exec.Cmd {
//				cmd := exec.Command(os.Args[0])
//				cmd.Env = append(os.Environ(), "MYSTORE_CRASH="+path)
//				return cmd
//			},
//			Open: func(testing.TB) causal.EventStore { return mystore.Open(path) },
//		}
//	}
type Crash[S any] struct {
	// Command returns a command that has not been started. Its process opens
	// the storage and calls [Write] with its standard output.
	Command func() *exec.Cmd
	// Open opens the data left by the process.
	Open func(t testing.TB) S
	// Kills is the number of processes to kill. Zero means 10.
	Kills int
}

// each calls check after each kill, with the acknowledgements of the process
// and the data it left.
func (c Crash[S]) each(t *testing.T, check func(acks []ack, s S)) {
	t.Helper()
	for range shortened(cmp.Or(c.Kills, 10)) {
		acks := kill(t, c.Command())
		s := c.Open(t)
		check(acks, s)
		closeStorage(t, s)
	}
}

// ack is a line written by Write after storing something.
type ack struct {
	Events []causal.Event `json:"events,omitempty"` // that were stored together
	Clock  int64          `json:"clock,omitempty"`  // a value that was handed out
	Entry  int            `json:"entry,omitempty"`  // an error entry, counted from 1
}

// Write writes to a storage from several goroutines, and acknowledges each
// write on w. s implements one or more of [causal.EventStore],
// [causal.ClockStorage] and [causal.ErrorStorage]. It is for the process killed
// by [Crash], and returns only an error, if ctx is done or the storage fails.
func Write(ctx context.Context, s any, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	acknowledge := func(a ack) error {
		line, err := json.Marshal(a)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		_, err = w.Write(append(line, '\n'))
		return err
	}
	var writing sync.WaitGroup
	forever := func(f func() error) {
		writing.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil {
					cancel(err)
				}
			}
		})
	}
	if events, ok := s.(causal.EventStore); ok {
		for size := range 4 {
			forever(func() error { return writeEvents(ctx, events, size+1, acknowledge) })
		}
	}
	if clocks, ok := s.(causal.ClockStorage); ok {
		clock, err := causal.NewLamportClock(ctx, crashNode, clocks, &causal.LamportClockOptions{Lease: 1 + rand.Int64N(10)})
		if err != nil {
			return err
		}
		forever(func() error {
			value, err := clock.Tick(ctx)
			if err != nil {
				return err
			}
			return acknowledge(ack{Clock: value})
		})
	}
	if entries, ok := s.(causal.ErrorStorage); ok {
		last, err := lastEntry(ctx, entries)
		if err != nil {
			return err
		}
		forever(func() error {
			last++
			if err := entries.AppendError(ctx, entry(last)); err != nil {
				return err
			}
			return acknowledge(ack{Entry: last})
		})
	}
	writing.Wait()
	return context.Cause(ctx)
}

// crashNode is the node whose clock is used by the killed processes in turn.
const crashNode = "crash"

// writeEvents saves size new events, together if the store can. Their payload
// has the size and number of their batch.
func writeEvents(ctx context.Context, s causal.EventStore, size int, acknowledge func(ack) error) error {
	if _, ok := s.(causal.BatchSaver); !ok {
		size = 1
	}
	batch := make([]causal.Event, size)
	id := causal.NewEventID()
	for i := range batch {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "Written", AggregateID: "crash", NodeID: crashNode, CorrelationID: id, ProjectUUID: project,
			Payload: map[string]int{"size": size},
		})
		if err != nil {
			return err
		}
		batch[i] = e
	}
	if err := causal.SaveAll(ctx, s, batch); err != nil {
		return err
	}
	return acknowledge(ack{Events: batch})
}

// kill starts the command, kills its process while it writes, and returns its
// acknowledgements.
func kill(t *testing.T, cmd *exec.Cmd) (acks []ack) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var killing sync.Once
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // an incomplete line is no acknowledgement
			break
		}
		var a ack
		require.NoError(t, json.Unmarshal(line, &a), "%q", line)
		acks = append(acks, a)
		killing.Do(func() { // at a random moment while it writes
			time.AfterFunc(time.Duration(1+rand.IntN(30))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		})
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.False(t, exit.Exited(), "the process ended by itself: %v", err)
	require.NotEmpty(t, acks)
	return acks
}

var eventCrashCase = eventCase{
	name:  "crash/events",
	claim: "Once SaveEvent or SaveEvents has returned nil, the events survive a kill of the process, and a batch is never torn.",
	needs: eventNeeds{needsCrash[causal.EventStore]},
	run: func(t *testing.T, c eventConfig) {
		acknowledged := map[causal.EventID]causal.Event{}
		c.Crash(t).each(t, func(acks []ack, s causal.EventStore) {
			for _, a := range acks {
				for _, e := range a.Events {
					acknowledged[e.ID()] = e
				}
			}
			requireWhole(t, s, acknowledged)
		})
	},
}

// requireWhole requires the acknowledged events, and all or nothing of every
// batch.
func requireWhole(t *testing.T, s causal.EventStore, acknowledged map[causal.EventID]causal.Event) {
	t.Helper()
	all, err := causal.LoadAll(t.Context(), s)
	require.NoError(t, err)
	found, batches := 0, map[causal.EventID]int{}
	for _, e := range all {
		if want, ok := acknowledged[e.ID()]; ok {
			require.True(t, want.Equal(e), "an event has changed")
			found++
		}
		var payload struct{ Size int }
		require.NoError(t, e.DecodePayload(&payload))
		if _, counted := batches[e.CorrelationID()]; !counted {
			batches[e.CorrelationID()] = payload.Size
		}
		batches[e.CorrelationID()]--
	}
	require.Equal(t, len(acknowledged), found, "acknowledged events are lost")
	for _, missing := range batches {
		require.Zero(t, missing, "a batch is torn")
	}
}

// entry returns the n-th error entry of a test.
func entry(n int) causal.ErrorEntry {
	return causal.ErrorEntry{Timestamp: baseTime, ActionAttempted: "try", ErrorMessage: fmt.Sprint(n), Agent: "suite"}
}

// lastEntry returns the number of the latest error entry, or 0 if there is
// none.
func lastEntry(ctx context.Context, s causal.ErrorStorage) (n int, err error) {
	latest, err := s.RecentErrors(ctx, 1)
	if err != nil || len(latest) == 0 {
		return 0, err
	}
	if _, err := fmt.Sscan(latest[0].ErrorMessage, &n); err != nil {
		return 0, errors.New("an error entry that the suite has not written")
	}
	return n, nil
}
