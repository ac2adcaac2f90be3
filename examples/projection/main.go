// Projection shows a read model that is never wrong: the lane of each task,
// kept in an SQLite file together with its position in the log. The process
// that maintains it is killed repeatedly while others save, and resumes each
// time.
//
//	go run ./examples/projection
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

const (
	fileVariable   = "CAUSAL_PROJECTION_FILE" // has the path of the store, in a process that maintains the projection
	projectionName = "lanes"

	tasks, moves = 20, 600
)

func main() {
	ctx := context.Background()
	if path := os.Getenv(fileVariable); path != "" {
		log.Fatal(keep(ctx, path, os.Stdout))
	}
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// lanes is the projection: for each task, its latest lane.
type lanes map[string]*causal.LWWRegister[string]

func (l lanes) apply(e causal.Event) error {
	if l[e.AggregateID()] == nil {
		l[e.AggregateID()] = &causal.LWWRegister[string]{}
	}
	return l[e.AggregateID()].Apply(e)
}

// keep is the process that maintains the projection. It writes a line after
// each batch.
func keep(ctx context.Context, path string, out io.Writer) error {
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	err = causal.Consume(ctx, store, projectionName, func(_ context.Context, b *causal.Batch) error {
		projection := lanes{}
		if b.State != nil {
			if err := json.Unmarshal(b.State, &projection); err != nil {
				return err
			}
		}
		for _, entry := range b.Entries {
			if err := projection.apply(entry.Event); err != nil {
				return err
			}
		}
		state, err := json.Marshal(projection)
		b.State = state
		fmt.Fprintln(out, len(b.Entries))
		return err
	}, &causal.ConsumeOptions{BatchSize: 10})
	return errors.Join(err, store.Close())
}

// keepAndKill starts a process that maintains the projection, and kills it
// after some batches.
func keepAndKill(ctx context.Context, path string, batches int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), fileVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); batches > 0 && lines.Scan(); {
		batches--
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.Exited() {
		return fmt.Errorf("the process was not killed: %w", err)
	}
	return nil
}

// save saves the moves of tasks, as other processes would.
func save(ctx context.Context, store *causalsqlite.Store) error {
	alice, err := causal.OpenNode(ctx, "alice", store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		return err
	}
	for n := range moves {
		_, err := alice.Emit(ctx, causal.EventParams{
			Type: "Moved", AggregateID: fmt.Sprint("task ", n*7%tasks),
			Payload: map[string]string{"value": []string{"to do", "doing", "done"}[n*n%3]},
		})
		if err != nil {
			return errors.Join(err, alice.Close())
		}
	}
	return alice.Close()
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "projection")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "events.db")
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	fmt.Fprintf(out, "1. %d moves of %d tasks are saved, while the process with the projection is killed 5 times.\n", moves, tasks)
	saved := make(chan error, 1)
	go func() { saved <- save(ctx, store) }()
	for range 5 {
		if err := keepAndKill(ctx, path, 3); err != nil {
			return err
		}
	}
	if err := <-saved; err != nil {
		return err
	}
	lag, err := causal.Lag(ctx, store, projectionName)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "   the projection lags:", lag > 0)

	fmt.Fprintln(out, "2. The process restarts, and catches up.")
	last, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- keep(last, path, io.Discard) }()
	for lag > 0 {
		time.Sleep(time.Millisecond)
		if lag, err = causal.Lag(ctx, store, projectionName); err != nil {
			return err
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}

	isRight, err := compare(ctx, store)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "   each task is in the lane given by its events:", isRight)
	return nil
}

// compare reports whether the projection agrees with the events.
func compare(ctx context.Context, store *causalsqlite.Store) (bool, error) {
	c, err := store.LoadCheckpoint(ctx, projectionName)
	if err != nil {
		return false, err
	}
	projection := lanes{}
	if err := json.Unmarshal(c.State, &projection); err != nil {
		return false, err
	}
	count := 0
	for task, err := range store.Aggregates(ctx) {
		if err != nil {
			return false, err
		}
		events, err := store.LoadEvents(ctx, task)
		if err != nil {
			return false, err
		}
		want, _, err := causal.MergeLWW[string](events)
		if err != nil {
			return false, err
		}
		if lane := projection[task]; lane == nil || lane.EventID() != events[len(events)-1].ID() {
			return false, nil
		} else if got, _ := lane.Value(); got != want {
			return false, nil
		}
		count++
	}
	return count == tasks && len(projection) == tasks, nil
}
