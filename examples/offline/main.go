// Offline shows a node that needs no network and survives being killed. It
// keeps its events in an SQLite file, resumes when it is started again, and
// delivers its log to another node when it is online, starting where that node
// left off.
//
//	go run ./examples/offline
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
	"slices"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

// fileVariable has the path of the store, in a process that runs a node.
const fileVariable = "CAUSAL_OFFLINE_FILE"

func main() {
	ctx := context.Background()
	if path := os.Getenv(fileVariable); path != "" {
		if err := emit(ctx, path, os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// open opens a node on an SQLite file.
func open(ctx context.Context, id, path string) (*causal.Node, *causalsqlite.Store, error) {
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		return nil, nil, err
	}
	n, err := causal.OpenNode(ctx, id, store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return n, store, nil
}

// emit is the process of Alice. For each line of input it emits an event, and
// writes the event once it is stored.
func emit(ctx context.Context, path string, in io.Reader, out io.Writer) (err error) {
	alice, store, err := open(ctx, "alice", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alice.Close(), store.Close()) }()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		e, err := alice.Emit(ctx, causal.EventParams{
			Type: "Noted", AggregateID: "notebook", Payload: map[string]string{"text": lines.Text()},
		})
		if err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// process is a running process of Alice.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func start(ctx context.Context, path string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), fileVariable+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewDecoder(out)}, cmd.Start()
}

// emit makes the process emit events, and returns those it reports as stored.
func (p *process) emit(texts ...string) (stored []causal.Event, err error) {
	for _, text := range texts {
		var e causal.Event
		if _, err := fmt.Fprintln(p.in, text); err != nil {
			return nil, err
		}
		if err := p.out.Decode(&e); err != nil {
			return nil, err
		}
		stored = append(stored, e)
	}
	return stored, nil
}

// kill kills the process while it emits one more event.
func (p *process) kill() error {
	if _, err := fmt.Fprintln(p.in, "cut off"); err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	var killed *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &killed) {
		return fmt.Errorf("the process was not killed: %w", err)
	}
	return nil
}

// stop lets the process finish.
func (p *process) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "offline")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "alice.db")

	fmt.Fprintln(out, "1. Alice is offline. She emits 5 events, and is killed while she emits the next.")
	alice, err := start(ctx, path)
	if err != nil {
		return err
	}
	stored, err := alice.emit("one", "two", "three", "four", "five")
	if err != nil {
		return err
	}
	if err := alice.kill(); err != nil {
		return err
	}

	fmt.Fprintln(out, "2. She restarts, and emits 3 more.")
	if alice, err = start(ctx, path); err != nil {
		return err
	}
	more, err := alice.emit("six", "seven", "eight")
	if err != nil {
		return err
	}
	if err := alice.stop(); err != nil {
		return err
	}
	fmt.Fprintln(out, "   no clock value was used twice:", more[0].LamportClock() > stored[4].LamportClock())
	return deliver(ctx, out, path, filepath.Join(dir, "bob.db"), append(stored, more...))
}

// deliver delivers the events in Alice's file to Bob's, in two parts.
func deliver(ctx context.Context, out io.Writer, alicePath, bobPath string, stored []causal.Event) (err error) {
	alice, err := causalsqlite.Open(ctx, alicePath, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alice.Close()) }()
	bob, store, err := open(ctx, "bob", bobPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bob.Close(), store.Close()) }()

	all, err := causal.LoadAll(ctx, alice)
	if err != nil {
		return err
	}
	found := 0
	for _, e := range stored {
		if slices.ContainsFunc(all, e.Equal) {
			found++
		}
	}
	fmt.Fprintf(out, "   of her 8 acknowledged events, %d are in her file.\n", found)

	fmt.Fprintln(out, "3. She is online. Bob receives her events; the connection breaks after 4 of them.")
	cursor, err := receive(ctx, bob, alice, causal.Cursor{}, 4)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "4. He resumes from his cursor.")
	if _, err := receive(ctx, bob, alice, cursor, len(all)); err != nil {
		return err
	}
	copied, err := causal.LoadAll(ctx, store)
	if err != nil {
		return err
	}
	missing, err := bob.Missing(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "   Bob has all of Alice's events:", slices.EqualFunc(all, copied, causal.Event.Equal))
	fmt.Fprintln(out, "   no event refers to a missing one:", len(missing) == 0)
	return nil
}

// receive makes a node receive the entries after the cursor, at most most of
// them, and returns the cursor of the last one. An event received before
// changes nothing.
func receive(
	ctx context.Context, n *causal.Node, from causal.LogReader, after causal.Cursor, most int,
) (causal.Cursor, error) {
	for entry, err := range from.ReadLog(ctx, after) {
		if err != nil {
			return after, err
		}
		if _, err := n.Receive(ctx, []causal.Event{entry.Event}, nil); err != nil {
			return after, err
		}
		after = entry.Cursor
		if most--; most == 0 {
			break
		}
	}
	return after, nil
}
