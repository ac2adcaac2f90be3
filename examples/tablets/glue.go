package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spec-kitty/causal"
)

// page is a part of a log and the cursor after it; or, from a tablet to the server, with the cursor of the
// server's log that it has come to.
type page struct {
	Cursor causal.Cursor
	Events []json.RawMessage
}

// read returns the next events of a log. If that went back to a backup, it begins again: what is known
// already changes nothing.
func read(ctx context.Context, s causal.LogReader, after causal.Cursor) (page, error) {
	p := page{Cursor: after}
	for entry, err := range s.ReadLog(ctx, after) {
		if errors.Is(err, causal.ErrInvalidCursor) || errors.Is(err, causal.ErrCursorAhead) {
			return read(ctx, s, causal.Cursor{})
		}
		text, jsonErr := entry.Event.MarshalJSON()
		if err := errors.Join(err, jsonErr); err != nil {
			return p, err
		}
		p.Cursor, p.Events = entry.Cursor, append(p.Events, text)
		if len(p.Events) == 1000 {
			break
		}
	}
	return p, nil
}

// take has a node receive a page. What is bad in it is kept by the store, and stops nothing.
func take(ctx context.Context, n *causal.Node, p page, source string) error {
	_, err := n.ReceiveJSON(ctx, func(yield func([]byte) bool) {
		for i := 0; i < len(p.Events) && yield(p.Events[i]); i++ {
		}
	}, &causal.ReceiveOptions{Source: source})
	return err
}

// exchange leaves with the server what it has not got, and takes what it has. Where both logs are is
// one checkpoint, saved when all is done: what breaks off is done again.
func exchange(ctx context.Context, n *causal.Node, s causal.Store, send func(page) (page, error)) error {
	c, err := s.LoadCheckpoint(ctx, "exchange")
	if err != nil {
		return err
	}
	mine, err := read(ctx, s, c.Cursor)
	if err != nil {
		return err
	}
	c.Cursor = mine.Cursor
	if err := mine.Cursor.UnmarshalText(c.State); err != nil { // the server's
		return err
	}
	theirs, err := send(mine)
	if err != nil {
		return err
	}
	c.State, err = theirs.Cursor.MarshalText()
	if err := errors.Join(err, take(ctx, n, theirs, "server")); err != nil {
		return err
	}
	_, err = s.SaveCheckpoint(ctx, "exchange", c)
	return err
}

// open opens a node under its ID or, on a backup that was restored, under the next one.
func open(ctx context.Context, s causal.NodeStorage, ids ...string) (*causal.Node, error) {
	n, err := causal.OpenNode(ctx, ids[0], s, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if errors.Is(err, causal.ErrRestored) && len(ids) > 1 {
		return open(ctx, s, ids[1:]...)
	}
	return n, err
}
