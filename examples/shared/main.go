// Shared shows two processes of one service that share everything in a
// PostgreSQL database: the node ID, and the log of events, which a third
// process follows. It keeps its tables in the schema causal_example.
//
//	go run ./examples/shared postgres://user@localhost/database
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalpg"
)

const (
	// dsnVariable has the connection string, in a process that emits.
	dsnVariable = "CAUSAL_SHARED_DSN"
	processes   = 2
	each        = 100
)

var options = &causalpg.Options{Schema: "causal_example"}

func main() {
	ctx := context.Background()
	if dsn := os.Getenv(dsnVariable); dsn != "" {
		if err := emit(ctx, dsn); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) != 2 {
		log.Fatal("usage: shared DSN")
	}
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// emit is a process of the service.
func emit(ctx context.Context, dsn string) (err error) {
	store, err := causalpg.Open(ctx, dsn, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	n, err := causal.OpenNode(ctx, "service", store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	for range each {
		e := causal.EventParams{Type: "Counted", AggregateID: "counter", Payload: map[string]int{"delta": 1}}
		if _, err := n.Emit(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, dsn string, out io.Writer) (err error) {
	if err := causalpg.Migrate(ctx, dsn, options); err != nil {
		return err
	}
	store, err := causalpg.Open(ctx, dsn, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	start, err := store.Head(ctx)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "1. %d processes of one service emit %d events each, with one node ID.\n", processes, each)
	ended := make(chan error, processes)
	for range processes {
		if err := startProcess(ctx, dsn, ended); err != nil {
			return err
		}
	}
	events, err := follow(ctx, store, start)
	if err != nil {
		return err
	}
	for range processes {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "2. A third one followed the log, and received %d events.\n", len(events))
	history, err := causal.NewHistory(events)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "3. Each event follows its predecessor, whichever process emitted it: %d forks, %d conflicts.\n",
		len(history.Forks()), len(history.Conflicts(nil)))
	sum, err := causal.MergeCounter(events)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "4. The counter of the events is at %d.\n", sum)
	return nil
}

// startProcess starts a process that emits, and sends its result to the
// channel.
func startProcess(ctx context.Context, dsn string, ended chan<- error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), dsnVariable+"="+dsn)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { ended <- cmd.Wait() }()
	return nil
}

// follow follows the log from the cursor on until it has all events.
func follow(ctx context.Context, s causal.LogReader, after causal.Cursor) (events []causal.Event, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for entry, err := range causal.Follow(ctx, s, after) {
		if err != nil {
			return events, err
		}
		if events = append(events, entry.Event); len(events) == processes*each {
			break
		}
	}
	return events, nil
}
