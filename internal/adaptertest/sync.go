package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// network is a group of nodes that emit and sync over connections that break,
// and that lose, repeat and mix up messages.
type network struct {
	t     eventtest.T
	rand  *rand.Rand
	open  func(i int) causal.Store
	nodes []*member
	cut   map[[2]int]bool // pairs without a connection
	saved []byte          // an answer to be delivered late

	isHealed bool // everything works from now on

	mu sync.Mutex // guards rand and saved during a step
}

type member struct {
	store   causal.Store
	node    *causal.Node
	replica *causalsync.Replica
}

// TestSyncNetwork lets five nodes emit about count events while they sync,
// break and crash. open opens the data of a node, which must outlast its Close.
// In the end, when everything works again, two rounds of syncs must give all
// nodes the same events, with nothing missing.
func TestSyncNetwork(t eventtest.T, seed uint64, count int, open func(i int) causal.Store) {
	n := &network{t: t, rand: rand.New(rand.NewPCG(seed, 1)), open: open, nodes: make([]*member, 5), cut: map[[2]int]bool{}}
	for i := range n.nodes {
		n.start(i)
	}
	emitted := 0
	for emitted < count {
		emitted += n.step()
	}
	n.isHealed = true
	for range 2 {
		for i := range n.nodes {
			_, err := n.nodes[i].replica.Sync(t.Context(), n.exchange(i, 0), nil)
			require.NoError(t, err)
		}
	}
	n.requireEqual(emitted)
}

// start opens a node.
func (n *network) start(i int) {
	var err error
	m := &member{store: n.open(i)}
	n.nodes[i] = m
	m.node, err = causal.OpenNode(n.t.Context(), fmt.Sprint("node", i), m.store, causal.NodeOptions{ProjectUUID: eventtest.ProjectUUID})
	require.NoError(n.t, err)
	m.replica, err = causalsync.New(m.store, &causalsync.Options{Node: m.node, MaxMessage: 4096 << n.rand.IntN(6)})
	require.NoError(n.t, err)
}

// step does something at random, and returns the number of emitted events.
func (n *network) step() (emitted int) {
	i, j := n.rand.IntN(len(n.nodes)), n.rand.IntN(len(n.nodes))
	switch n.rand.IntN(10) {
	case 0: // a crash: the node is not closed
		if c, ok := n.nodes[i].store.(io.Closer); ok {
			require.NoError(n.t, c.Close())
		}
		n.start(i)
	case 1:
		n.cut[[2]int{min(i, j), max(i, j)}] = n.rand.IntN(2) == 0
	case 2, 3:
		n.sync(i, j)
	case 4: // several at a time, while events arrive
		var all sync.WaitGroup
		for k := range n.nodes {
			all.Go(func() { n.sync(k, j) })
		}
		n.emit(i, 20)
		all.Wait()
		return 20
	default:
		count := 1 + n.rand.IntN(30)
		n.emit(i, count)
		return count
	}
	return 0
}

func (n *network) emit(i, count int) {
	all := make([]causal.EventParams, count)
	for k := range all {
		all[k] = causal.EventParams{Type: "T", AggregateID: fmt.Sprint("A", (i+k)%7)}
	}
	_, err := n.nodes[i].node.EmitAll(n.t.Context(), all)
	require.NoError(n.t, err)
}

// sync is a sync that may fail.
func (n *network) sync(i, j int) {
	report, err := n.nodes[i].replica.Sync(n.t.Context(), n.exchange(i, j), nil)
	require.Zero(n.t, report.RefusedCount)
	if err != nil && !errors.Is(err, errBroken) {
		require.ErrorIs(n.t, err, causalsync.ErrProtocol) // for an answer to another request
	}
}

// errBroken is the error of a broken connection.
var errBroken = errors.New("the connection is broken")

// exchange carries messages from a node to another.
func (n *network) exchange(from, to int) causalsync.Exchange {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		n.mu.Lock()
		fault := n.rand.IntN(40)
		saved := n.saved
		n.mu.Unlock()
		if n.isHealed {
			fault = -1
		} else if n.cut[[2]int{min(from, to), max(from, to)}] {
			return nil, errBroken
		}
		answer := func() ([]byte, error) {
			return n.nodes[to].replica.Answer(ctx, "", causal.Filter{}, request)
		}
		switch fault {
		case 0:
			return nil, errBroken // the request is lost
		case 1:
			if _, err := answer(); err != nil {
				return nil, err
			}
			return nil, errBroken // the answer is lost
		case 2:
			if _, err := answer(); err != nil { // the request comes twice
				return nil, err
			}
		case 3:
			if saved != nil {
				return saved, nil // an answer to another request
			}
		}
		reply, err := answer()
		if fault == 4 {
			n.mu.Lock()
			n.saved = reply
			n.mu.Unlock()
		}
		return reply, err
	}
}

// requireEqual requires that all nodes have all events, and know it.
func (n *network) requireEqual(count int) {
	first, err := causal.LoadAll(n.t.Context(), n.nodes[0].store)
	require.NoError(n.t, err)
	require.Len(n.t, first, count)
	for _, m := range n.nodes {
		all, err := causal.LoadAll(n.t.Context(), m.store)
		require.NoError(n.t, err)
		require.Len(n.t, all, count)
		for i := range all {
			require.True(n.t, all[i].Equal(first[i]))
		}
		missing, err := m.node.Missing(n.t.Context())
		require.NoError(n.t, err)
		require.Empty(n.t, missing)
		require.Equal(n.t, causal.OrderSame, n.nodes[0].node.Seen().Compare(m.node.Seen()))
		require.NoError(n.t, m.node.Close())
	}
}
