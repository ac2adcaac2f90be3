package causalsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
)

// openReplica opens a node on a store, and a replica of it.
func openReplica(ctx context.Context, id string, store causal.Store) (*causal.Node, *causalsync.Replica) {
	node, err := causal.OpenNode(ctx, id, store, causal.NodeOptions{ProjectUUID: "12345678-1234-5678-1234-567812345678"})
	if err != nil {
		log.Fatal(err)
	}
	replica, err := causalsync.New(store, &causalsync.Options{Node: node})
	if err != nil {
		log.Fatal(err)
	}
	return node, replica
}

func emit(ctx context.Context, n *causal.Node, aggregateID string) {
	if _, err := n.Emit(ctx, causal.EventParams{Type: "Edited", AggregateID: aggregateID}); err != nil {
		log.Fatal(err)
	}
}

// A tablet and a hub, connected by HTTP.
func Example() {
	ctx := context.Background()
	var hubStore, tabletStore causal.MemStore
	hubNode, hub := openReplica(ctx, "hub", &hubStore)
	tabletNode, tablet := openReplica(ctx, "tablet 1", &tabletStore)

	server := httptest.NewServer(causalsync.Handler(hub, func(q *http.Request) (string, causal.Filter, error) {
		if _, token, _ := q.BasicAuth(); token != "a secret" {
			return "", causal.Filter{}, errors.New("who is it?")
		}
		return "tablet 1", causal.Filter{}, nil
	}))

	emit(ctx, hubNode, "doc 1")
	for range 3 {
		emit(ctx, tabletNode, "doc 1") // offline, so it is in conflict
	}

	exchange := causalsync.HTTP(server.URL, &causalsync.HTTPOptions{Authorize: func(q *http.Request) error {
		q.SetBasicAuth("tablet 1", "a secret")
		return nil
	}})
	report, err := tablet.Sync(ctx, exchange, &causalsync.SyncOptions{Peer: "hub"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("received:", report.Received, "sent:", report.Sent, "refused:", report.RefusedCount)
	server.Close()
	fmt.Println("seen:", hubNode.Seen().Compare(tabletNode.Seen()) == causal.OrderSame)
	// Output:
	// received: 1 sent: 3 refused: 0
	// seen: true
}

// Any function that carries a message and its answer will do. This one calls
// the other replica.
func ExampleExchange() {
	ctx := context.Background()
	var hubStore, tabletStore causal.MemStore
	hubNode, hub := openReplica(ctx, "hub", &hubStore)
	_, tablet := openReplica(ctx, "tablet 1", &tabletStore)
	emit(ctx, hubNode, "doc 1")
	var exchange causalsync.Exchange = func(ctx context.Context, request []byte) ([]byte, error) {
		return hub.Answer(ctx, "tablet 1", causal.Filter{}, request)
	}
	report, err := tablet.Sync(ctx, exchange, nil)
	fmt.Println(report.Received, report.Trips, err)
	report, err = tablet.Sync(ctx, exchange, nil)
	fmt.Println(report.Received, report.Trips, err)
	// Output:
	// 1 2 <nil>
	// 0 1 <nil>
}

// A store without a node: a copy of one aggregate, limited by data tier.
func ExampleNew() {
	ctx := context.Background()
	var hubStore, copied causal.MemStore
	hubNode, hub := openReplica(ctx, "hub", &hubStore)
	emit(ctx, hubNode, "doc 1")
	emit(ctx, hubNode, "doc 2")
	replica, err := causalsync.New(&copied, nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := replica.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return hub.Answer(ctx, "copy", causal.Filter{AggregateID: "doc 2"}, request)
	}, nil)
	fmt.Println(report.Received, report.Filter.AggregateID, err)
	// Output: 1 doc 2 <nil>
}

func ExampleReplica_Run() {
	ctx, cancel := context.WithCancel(context.Background())
	var hubStore, tabletStore causal.MemStore
	hubNode, hub := openReplica(ctx, "hub", &hubStore)
	_, tablet := openReplica(ctx, "tablet 1", &tabletStore)
	emit(ctx, hubNode, "doc 1")
	exchange := func(ctx context.Context, request []byte) ([]byte, error) {
		return hub.Answer(ctx, "tablet 1", causal.Filter{}, request)
	}
	err := tablet.Run(ctx, exchange, &causalsync.RunOptions{
		SyncOptions: causalsync.SyncOptions{Peer: "hub"},
		Interval:    time.Minute,
		OnSync: func(r causalsync.Report, err error) {
			fmt.Println("received:", r.Received, err)
			cancel() // as when the application ends
		},
	})
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// received: 1 <nil>
	// true
}

// A refused event does not stop the others, and both sides report it.
func ExampleRefusal() {
	ctx := context.Background()
	var here, there causal.MemStore
	for text, s := range map[string]*causal.MemStore{`{"here":1}`: &here, `{"there":1}`: &there} {
		e, err := causal.NewEvent(causal.EventParams{
			ID: "01JDXK5Z0000000000000000AA", Type: "Edited", AggregateID: "doc 1", NodeID: "alice",
			ProjectUUID: "12345678-1234-5678-1234-567812345678", Payload: json.RawMessage(text),
		})
		if err == nil {
			err = s.SaveEvent(ctx, e)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	hub, err := causalsync.New(&there, &causalsync.Options{OnRefused: func(peer string, r causalsync.Refusal) {
		fmt.Println("the hub refuses", r.EventID, "of", peer, errors.Is(r.Err, causal.ErrIDConflict))
	}})
	if err != nil {
		log.Fatal(err)
	}
	replica, err := causalsync.New(&here, nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := replica.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return hub.Answer(ctx, "tablet 1", causal.Filter{}, request)
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range report.Refused {
		fmt.Println(r.EventID, "by the peer:", r.ByPeer, errors.Is(r.Err, causal.ErrIDConflict))
	}
	// Output:
	// the hub refuses 01JDXK5Z0000000000000000AA of tablet 1 true
	// 01JDXK5Z0000000000000000AA by the peer: false true
	// 01JDXK5Z0000000000000000AA by the peer: true true
}

func ExampleRefusedError() {
	err := error(&causalsync.RefusedError{Code: 2})
	fmt.Println(err, errors.Is(err, causalsync.ErrRefused))
	// Output: causalsync: the peer refuses: the filter cannot be agreed on true
}

func ExampleHTTPError() {
	err := error(&causalsync.HTTPError{Status: http.StatusServiceUnavailable})
	var status *causalsync.HTTPError
	fmt.Println(errors.As(err, &status) && status.Status == 503, err)
	// Output: true causalsync: the peer answers with HTTP status 503
}
