package page_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
	"github.com/spec-kitty/causal/cmd/causal/internal/page"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

func newView(t *testing.T, events []causal.Event) (*view.View, page.Options) {
	h, err := causal.NewHistory(events)
	require.NoError(t, err)
	v := view.New(h)
	all := func(causal.Event) bool { return true }
	o := page.Options{Shown: v.Select(all), Findings: v.Findings(nil, time.Now())}
	for _, c := range v.Conflicts(all) {
		o.Conflicts = append(o.Conflicts, page.Conflict{Conflict: c, Winner: -1})
	}
	return v, o
}

func write(t *testing.T, v *view.View, o page.Options) string {
	var out bytes.Buffer
	require.NoError(t, page.Write(&out, v, o))
	return out.String()
}

// A page without events is small, and an event adds little.
func TestSize(t *testing.T) {
	v, o := newView(t, nil)
	shell := len(write(t, v, o))
	require.LessOrEqual(t, shell, 45_000)
	for name, team := range map[string]demo.Options{"few nodes": {Events: 10_000, Seed: 1, HasFaults: true}, "many nodes": {Events: 10_000, Seed: 1, Nodes: 100}} {
		v, o := newView(t, demo.Events(team))
		o.Payload = page.None
		require.LessOrEqual(t, float64(len(write(t, v, o))-shell)/float64(v.Len()), 40.0, name)
	}
}

// If a page would be too large, the error says so, with advice.
func TestTooMuch(t *testing.T) {
	var events []causal.Event
	for n := range 19_000 { // without having read each other
		events = append(events, event(t, n, `{}`))
	}
	h, err := causal.NewHistory(events)
	require.NoError(t, err)
	v := view.New(h)
	o := page.Options{Shown: v.Select(func(causal.Event) bool { return true })}
	err = page.Write(io.Discard, v, o)
	var tooMuch *page.TooMuchError
	require.ErrorAs(t, err, &tooMuch)
	require.ErrorContains(t, err, "filter them")
	require.ErrorContains(t, page.WriteSVG(io.Discard, v, o), "filter them")
	require.ErrorContains(t, &page.TooMuchError{Events: page.MaxEvents + 1}, "200001 events")
}

func event(t *testing.T, n int, payload string) causal.Event {
	e, err := causal.NewEvent(causal.EventParams{
		ID: causal.EventID(fmt.Sprintf("01KBTEST%018d", n)), Type: "<T>", AggregateID: "A&B", NodeID: "n\x1b", LamportClock: 1, ProjectUUID: demo.Projects[0],
		Payload: json.RawMessage(payload), Parents: []causal.EventID{},
	})
	require.NoError(t, err)
	return e
}

// A payload of some kilobytes makes a page larger only on request.
func TestPayload(t *testing.T) {
	var noise strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&noise, "%x", uint32(n)*2654435761)
	}
	v, o := newView(t, []causal.Event{event(t, 1, `{"x":"`+noise.String()+`"}`)})
	size := map[page.Payload]int{}
	for _, o.Payload = range []page.Payload{page.None, page.Cut, page.Full} {
		size[o.Payload] = len(write(t, v, o))
	}
	require.Less(t, size[page.None], size[page.Cut])
	require.Less(t, size[page.Cut], size[page.None]+3_000)
	require.Less(t, size[page.Cut]+50_000, size[page.Full])
}

// A picture has each event and each arrow, and is XML whatever the events
// contain.
func TestSVG(t *testing.T) {
	for name, events := range map[string][]causal.Event{
		"team": demo.Events(demo.Options{Events: 200, Seed: 1, HasFaults: true}), "none": nil, "hostile": {event(t, 1, `{"</text>":"<script>"}`)},
	} {
		v, o := newView(t, events)
		var out bytes.Buffer
		require.NoError(t, page.WriteSVG(&out, v, o))
		count := map[string]int{}
		for d := xml.NewDecoder(&out); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					if a.Name.Local == "class" {
						count[a.Value]++
					}
				}
				count[e.Name.Local]++
			}
		}
		require.Equal(t, v.Len(), count["dot"], name)
		require.Zero(t, count["script"])
		edges := 0
		for k, parents := range v.Parents(o.Shown) {
			for _, p := range parents {
				if v.LaneOf[p] != v.LaneOf[o.Shown[k]] {
					edges++
				}
			}
		}
		require.Equal(t, edges, count["edge"], name)
	}
}
