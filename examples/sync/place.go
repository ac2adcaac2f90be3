package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/causalsync"
)

// token is the secret shared by the places of this example.
const token = "of all places"

// place is a process with a store, its node, and an HTTP server for others to
// sync with.
type place struct {
	store   *causalsqlite.Store
	node    *causal.Node
	replica *causalsync.Replica
}

// runPlace executes the commands on standard input, one on each line, and
// answers each with a line.
func runPlace(ctx context.Context, in io.Reader, out io.Writer, path string, ids []string) error {
	store, err := causalsqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	node, err := openNode(ctx, store, ids)
	if err != nil {
		return err
	}
	replica, err := causalsync.New(store, &causalsync.Options{Node: node})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: causalsync.Handler(replica, authorize), ReadTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	fmt.Fprintln(out, "http://"+listener.Addr().String())
	p := place{store, node, replica}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		answer, err := p.do(ctx, command, argument)
		if err != nil {
			answer = "failed: " + err.Error()
		}
		fmt.Fprintln(out, answer)
	}
	return errors.Join(server.Shutdown(ctx), node.Close(), store.Close())
}

// openNode opens a node under its ID or, on a restored backup, under the next
// one.
func openNode(ctx context.Context, s causal.NodeStorage, ids []string) (*causal.Node, error) {
	n, err := causal.OpenNode(ctx, ids[0], s, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if errors.Is(err, causal.ErrRestored) && len(ids) > 1 {
		return openNode(ctx, s, ids[1:])
	}
	return n, err
}

// authorize identifies the sender of a request, and returns the events it may
// see.
func authorize(q *http.Request) (peer string, allowed causal.Filter, err error) {
	peer, secret, _ := q.BasicAuth()
	if subtle.ConstantTimeCompare([]byte(secret), []byte(token)) != 1 {
		return "", causal.Filter{}, errors.New("who is it?")
	}
	return peer, causal.Filter{}, nil
}

func (p place) do(ctx context.Context, command, argument string) (string, error) {
	switch command {
	case "edit":
		e, err := p.node.Emit(ctx, causal.EventParams{Type: "TitleChanged", AggregateID: "doc 1", Payload: map[string]string{"value": argument}})
		return fmt.Sprintf("%s writes %q", e.NodeID(), argument), err
	case "sync":
		report, err := p.replica.Sync(ctx, causalsync.HTTP(argument, &causalsync.HTTPOptions{Authorize: func(q *http.Request) error {
			q.SetBasicAuth(p.node.ID(), token)
			return nil
		}}), &causalsync.SyncOptions{Peer: argument})
		return fmt.Sprintf("received %d, sent %d, refused %d", report.Received, report.Sent, report.RefusedCount), err
	case "backup":
		return "backed up", p.store.Backup(ctx, argument)
	case "show":
		return p.show(ctx)
	}
	return "", errors.New("what is that?")
}

// show returns the content of the place and its conflicts.
func (p place) show(ctx context.Context) (string, error) {
	events, err := causal.LoadAll(ctx, p.store)
	if err != nil {
		return "", err
	}
	history, err := causal.NewHistory(events)
	if err != nil {
		return "", err
	}
	missing, err := p.node.Missing(ctx)
	text := fmt.Sprintf("%d events, seen %v, missing %d, forks %d, heads", len(events), p.node.Seen(), len(missing), len(history.Forks()))
	for _, e := range history.Heads() {
		text += fmt.Sprintf(" %s:%s", e.NodeID(), e.Payload())
	}
	return text, err
}
