package causalsync

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// spoil makes the events of a message whose ID has a suffix unreadable, in both
// directions.
func spoil(events []eventOf, suffix string) []eventOf {
	for i, e := range events {
		if bytes.Contains(e.data, []byte(suffix+`","event_type"`)) {
			events[i].data = bytes.Replace(e.data, []byte(`"lamport_clock":`), []byte(`"lamport_clock":-1`), 1)
		}
	}
	return events
}

// An unreadable event is reported on both sides and does not stop the others; a
// node keeps it, byte for byte.
func TestUnreadableEvents(t *testing.T) {
	ctx := t.Context()
	for _, hasNode := range []bool{false, true} {
		all, _ := testStore(t, 300)
		events, err := causal.LoadAll(ctx, all)
		require.NoError(t, err)
		var here, there causal.MemStore
		require.NoError(t, here.SaveEvents(ctx, events[:200]))
		require.NoError(t, there.SaveEvents(ctx, events[100:]))
		var told []string
		optionsHere, optionsThere := &Options{}, &Options{OnRefused: func(_ string, r Refusal) { told = append(told, fmt.Sprint(r.EventID[23:], r.ByPeer)) }}
		if hasNode {
			open := func(id string, s *causal.MemStore) *causal.Node {
				return must(causal.OpenNode(ctx, id, s, causal.NodeOptions{ProjectUUID: events[0].ProjectUUID()}))
			}
			optionsHere.Node, optionsThere.Node = open("alice", &here), open("bob", &there)
		}
		hub, r := must(New(&there, optionsThere)), must(New(&here, optionsHere))
		report, err := r.Sync(ctx, func(ctx context.Context, text []byte) ([]byte, error) {
			q := must(decodeRequest(text))
			q.events = spoil(q.events, "050")
			reply, err := hub.Answer(ctx, "a tablet", causal.Filter{}, q.encode())
			a := must(decodeAnswer(reply))
			a.events, a.hash = spoil(a.events, "250"), hashOf(text)
			return a.encode(), err
		}, nil)
		require.NoError(t, err)
		require.Equal(t, 99, report.Received)
		require.Equal(t, 99, report.Sent)
		require.Equal(t, 2, report.RefusedCount)
		for _, refused := range report.Refused {
			require.ErrorIs(t, refused.Err, causal.ErrValidation)
			require.Equal(t, map[bool]string{true: "050", false: "250"}[refused.ByPeer], string(refused.EventID[23:]))
		}
		require.Equal(t, []string{"050false"}, told)
		if hasNode {
			count := 0
			for kept, err := range there.Rejected(ctx) {
				require.NoError(t, err)
				require.Contains(t, string(kept.Data), `"lamport_clock":-1`)
				require.Equal(t, "a tablet", kept.Source)
				count++
			}
			require.Equal(t, 1, count)
		}
	}
}
