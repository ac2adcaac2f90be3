package causal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// What a log shows of an error says which event it is about, and which clock.
func TestErrorsNameTheirEvent(t *testing.T) {
	a, b := eventtest.ID(1), eventtest.ID(2)
	fault := []causal.FieldError{{Field: "payload", Reason: "is bad"}}
	for _, test := range []struct {
		err  error
		want string
	}{
		{err: &causal.ValidationError{EventID: a, Fields: fault}, want: "validation failed: event " + string(a) + ": payload is bad"},
		{err: &causal.ValidationError{Fields: fault}, want: "validation failed: payload is bad"},
		{err: &causal.ValidationError{EventID: a}, want: "validation failed: event " + string(a)},
		{err: &causal.IDConflictError{IDs: []causal.EventID{a}}, want: "event ID already has different content: " + string(a)},
		{
			err:  &causal.IDConflictError{IDs: []causal.EventID{a, b, a, b}},
			want: "event ID already has different content: " + string(a) + ", " + string(b) + ", " + string(a) + ", ...",
		},
		{err: &causal.CycleError{IDs: []causal.EventID{a}}, want: "causation cycle of 1 events: " + string(a)},
		{err: &causal.CycleError{IDs: []causal.EventID{a, b, a}}, want: "causation cycle of 3 events: " + string(a+", "+b+", "+a)},
		{err: &causal.CycleError{IDs: []causal.EventID{a, b, a, b}}, want: "causation cycle of 4 events: " + string(a+", "+b+", "+a) + ", ..."},
		{err: &causal.ClockJumpError{Local: 6, Remote: 17, MaxJump: 10}, want: "remote clock too far ahead: 17, more than 10 beyond 6"},
	} {
		require.EqualError(t, test.err, "causal: "+test.want)
	}
}

// An ID that NewEvent has made for an event that it refuses is of no use to anybody.
func TestRefusedEventsWithoutIDAreNotNamed(t *testing.T) {
	p := eventtest.Params(1)
	p.ID, p.Type = "", ""
	_, err := causal.NewEvent(p)
	require.EqualError(t, err, "causal: validation failed: event_type must not be empty")
	p.ID = eventtest.ID(1)
	_, err = causal.NewEvent(p)
	require.EqualError(t, err, "causal: validation failed: event TEST0000000000000000000001: event_type must not be empty")
}
