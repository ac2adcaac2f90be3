// Tablets shows a service for tablets that work offline, over HTTP: two of them edit while the
// server is away, one is restored from a backup, and one event on the way is broken. In the end all
// have the same history. File glue.go is all that it needs besides its transport and its own types.
//
//	go run ./examples/tablets
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// place is a store and its node.
type place struct {
	store *causalsqlite.Store
	node  *causal.Node
}

func openAt(ctx context.Context, path string, ids ...string) (p place, err error) {
	if p.store, err = causalsqlite.Open(ctx, path, nil); err != nil {
		return p, err
	}
	if p.node, err = open(ctx, p.store, ids...); err != nil {
		return p, errors.Join(err, p.store.Close())
	}
	return p, nil
}

func (p place) close() error { return errors.Join(p.node.Close(), p.store.Close()) }

// edit changes a title.
func (p place) edit(ctx context.Context, title string) error {
	_, err := p.node.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc 1", Payload: map[string]string{"value": title}})
	return err
}

// exchange exchanges with the server until there is nothing new on either side.
func (p place) exchange(ctx context.Context, server string) error {
	for before := uint64(0); ; {
		if err := exchange(ctx, p.node, p.store, func(mine page) (page, error) { return post(ctx, server, mine) }); err != nil {
			return err
		}
		lag, err := causal.Lag(ctx, p.store, "exchange")
		if err != nil {
			return err
		}
		head, err := p.store.Head(ctx)
		if err != nil || lag == 0 && head.Position() == before {
			return err
		}
		before = head.Position()
	}
}

// serve is the handler of the server.
func serve(p place) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var theirs page
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20)).Decode(&theirs)
		if err == nil {
			err = take(r.Context(), p.node, theirs, r.Header.Get("Tablet"))
		}
		var mine page
		if err == nil {
			mine, err = read(r.Context(), p.store, theirs.Cursor)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(mine) // the tablet notices
	})
}

// post sends a page and returns the answer.
func post(ctx context.Context, server string, mine page) (theirs page, err error) {
	body, err := json.Marshal(mine)
	if err != nil {
		return theirs, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(body))
	if err != nil {
		return theirs, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return theirs, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return theirs, fmt.Errorf("the server says %s", response.Status)
	}
	err = json.NewDecoder(response.Body).Decode(&theirs)
	return theirs, err
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "tablets")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := func(name string) string { return filepath.Join(dir, name) }
	places := map[string]place{}
	for _, id := range []string{"server", "alice", "bob"} {
		if places[id], err = openAt(ctx, path(id), id); err != nil {
			return err
		}
	}
	defer func() {
		for _, p := range places {
			err = errors.Join(err, p.close())
		}
	}()
	server := httptest.NewServer(serve(places["server"]))
	defer server.Close()

	fmt.Fprintln(out, "1. Alice writes a title, and both tablets exchange with the server.")
	alice, bob := places["alice"], places["bob"]
	err = errors.Join(alice.edit(ctx, "Draft"), alice.exchange(ctx, server.URL), bob.exchange(ctx, server.URL))
	if err != nil {
		return err
	}
	if err := alice.store.Backup(ctx, path("backup")); err != nil {
		return err
	}

	fmt.Fprintln(out, "2. Both change it offline. Alice exchanges, and her tablet breaks: it is restored from the backup.")
	if err := errors.Join(alice.edit(ctx, "By Alice"), bob.edit(ctx, "By Bob"), alice.exchange(ctx, server.URL), alice.close()); err != nil {
		return err
	}
	if alice, err = openAt(ctx, path("backup"), "alice", "alice 2"); err != nil {
		return err
	}
	places["alice"] = alice
	fmt.Fprintf(out, "   She goes on as %q, and has %d events.\n", alice.node.ID(), count(alice))

	fmt.Fprintln(out, "3. Something broken comes to the server. It is kept there, and stops nothing.")
	if _, err := post(ctx, server.URL, page{Events: []json.RawMessage{json.RawMessage(`{"event_id":7}`)}}); err != nil {
		return err
	}
	for rejected, err := range places["server"].store.Rejected(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "   %s: %.60s...\n", rejected.Data, rejected.Reason)
	}

	fmt.Fprintln(out, "4. All exchange, and have the same history.")
	if err := errors.Join(bob.exchange(ctx, server.URL), alice.exchange(ctx, server.URL), bob.exchange(ctx, server.URL)); err != nil {
		return err
	}
	for _, id := range []string{"server", "alice", "bob"} {
		fmt.Fprintf(out, "   %-6s %d events, seen %v\n", id, count(places[id]), places[id].node.Seen())
	}
	return report(ctx, out, alice)
}

func count(p place) int {
	events, err := causal.LoadAll(context.Background(), p.store)
	if err != nil {
		return -1
	}
	return len(events)
}

// report shows what is in conflict, and settles it.
func report(ctx context.Context, out io.Writer, p place) error {
	events, err := p.store.LoadEvents(ctx, "doc 1")
	if err != nil {
		return err
	}
	history, err := causal.NewHistory(events)
	if err != nil {
		return err
	}
	for _, e := range history.Heads() {
		fmt.Fprintf(out, "   in conflict: %s %s\n", e.NodeID(), e.Payload())
	}
	if err := p.edit(ctx, "By both"); err != nil {
		return err
	}
	if events, err = p.store.LoadEvents(ctx, "doc 1"); err != nil {
		return err
	}
	if history, err = causal.NewHistory(events); err != nil {
		return err
	}
	heads := history.Heads()
	fmt.Fprintf(out, "5. Alice settles it: %d head, %s\n", len(heads), heads[0].Payload())
	return nil
}
