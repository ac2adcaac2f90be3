package causaladapter_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// checks are all checks, called with valid arguments.
var checks = map[string]func(context.Context) error{
	"CheckContext":    causaladapter.CheckContext,
	"CheckSaveEvents": func(ctx context.Context) error { return causaladapter.CheckSaveEvents(ctx, nil) },
	"CheckSaveEventsIf": func(ctx context.Context) error {
		return causaladapter.CheckSaveEventsIf(ctx, causal.Condition{ProjectUUID: "12345678-1234-5678-1234-567812345678", NodeID: "a"}, nil)
	},
	"CheckAppendRejected": func(ctx context.Context) error {
		_, err := causaladapter.CheckAppendRejected(ctx, causal.Rejected{Reason: "invalid", Time: time.Unix(0, 0)})
		return err
	},
	"CheckLoadHeads": func(ctx context.Context) error {
		_, err := causaladapter.CheckLoadHeads(ctx, "12345678-1234-5678-1234-567812345678", "a")
		return err
	},
	"CheckLoadEvents":   func(ctx context.Context) error { return causaladapter.CheckLoadEvents(ctx, "\x00") },
	"CheckLoadClock":    func(ctx context.Context) error { return causaladapter.CheckLoadClock(ctx, "é") },
	"CheckSaveClock":    func(ctx context.Context) error { return causaladapter.CheckSaveClock(ctx, "a", 0) },
	"CheckAdvanceClock": func(ctx context.Context) error { return causaladapter.CheckAdvanceClock(ctx, "a", 0, math.MaxInt64) },
	"CheckAppendError": func(ctx context.Context) error {
		return causaladapter.CheckAppendError(ctx, causal.ErrorEntry{Timestamp: time.Unix(0, 0), ActionAttempted: "a", ErrorMessage: "m"})
	},
	"CheckRecentErrors": func(ctx context.Context) error { return causaladapter.CheckRecentErrors(ctx, 1) },
}

func requireInvalid(t *testing.T, err error, field, reason string) {
	t.Helper()
	var invalid *causal.ValidationError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, []causal.FieldError{{Field: field, Reason: reason}}, invalid.Fields)
}

func TestContexts(t *testing.T) {
	done, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the reason")
	cancel(cause)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, check(t.Context()))
			requireInvalid(t, check(nil), "ctx", "must not be nil")
			require.ErrorIs(t, check(done), context.Canceled)
			require.ErrorIs(t, check(done), cause)
			require.NotErrorIs(t, check(done), causal.ErrValidation)
		})
	}
	require.ErrorIs(t, causaladapter.CheckSaveClock(done, "", -1), cause, "the context is looked at first")
	require.EqualError(t, causaladapter.CheckContext(done), "causal: context canceled: the reason")
}

func TestArguments(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		name          string
		err           error
		field, reason string
	}{
		{name: "zero Event", err: causaladapter.CheckSaveEvents(ctx, []causal.Event{{}}), field: "event", reason: "must not be the zero Event"},
		{name: "no aggregate", err: causaladapter.CheckLoadEvents(ctx, ""), field: "aggregate_id", reason: "must not be empty"},
		{name: "bad aggregate", err: causaladapter.CheckLoadEvents(ctx, "\xff"), field: "aggregate_id", reason: "must be valid UTF-8"},
		{name: "no node to load", err: causaladapter.CheckLoadClock(ctx, ""), field: "node_id", reason: "must not be empty"},
		{name: "no node to save", err: causaladapter.CheckSaveClock(ctx, "", 1), field: "node_id", reason: "must not be empty"},
		{name: "negative value", err: causaladapter.CheckSaveClock(ctx, "a", -1), field: "value", reason: "must not be negative"},
		{name: "no node to advance", err: causaladapter.CheckAdvanceClock(ctx, "", 0, 1), field: "node_id", reason: "must not be empty"},
		{name: "negative floor", err: causaladapter.CheckAdvanceClock(ctx, "a", -1, 1), field: "floor", reason: "must not be negative"},
		{name: "by nothing", err: causaladapter.CheckAdvanceClock(ctx, "a", 0, 0), field: "by", reason: "must be at least 1"},
		{
			name:  "bad entry",
			err:   causaladapter.CheckAppendError(ctx, causal.ErrorEntry{Timestamp: time.Unix(0, 0), ActionAttempted: "a"}),
			field: "error_message", reason: "must not be empty",
		},
		{name: "no entries", err: causaladapter.CheckRecentErrors(ctx, 0), field: "limit", reason: "must be at least 1"},
	} {
		t.Run(test.name, func(t *testing.T) { requireInvalid(t, test.err, test.field, test.reason) })
	}
}

func TestInvalid(t *testing.T) {
	require.EqualError(t, causaladapter.Invalid("path", "must not be empty"), "causal: validation failed: path must not be empty")
}
