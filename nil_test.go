package causal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// A nil pointer in an interface is not a store.
func TestNilStores(t *testing.T) {
	ctx := t.Context()
	var s *causal.MemStore
	var events *causal.MemEventStore
	var clocks *causal.MemClockStorage
	var errs *causal.MemErrorStorage
	for name, call := range map[string]func() error{
		"save all": func() error { return causal.SaveAll(ctx, s, nil) },
		"append":   func() error { _, err := causal.Append(ctx, s, nil); return err },
		"save if": func() error {
			_, err := causal.SaveEventsIf(ctx, s, causal.Cursor{}, causal.Condition{}, nil)
			return err
		},
		"find":      func() error { _, err := causal.FindEvent(ctx, events, eventtest.ID(1)); return err },
		"heads":     func() error { _, err := causal.LoadHeads(ctx, s, eventtest.ProjectUUID, "A"); return err },
		"load all":  func() error { _, err := causal.LoadAll(ctx, s); return err },
		"wait":      func() error { return causal.WaitLog(ctx, s, causal.Cursor{}) },
		"lag":       func() error { _, err := causal.Lag(ctx, s, "p"); return err },
		"clock":     func() error { _, err := causal.NewLamportClock(ctx, "a", clocks, nil); return err },
		"error log": func() error { _, err := causal.NewErrorLog(errs); return err },
		"node":      func() error { _, err := causal.OpenNode(ctx, "a", s, nodeOptions()); return err },
		"aggregates": func() (last error) {
			for _, err := range causal.Aggregates(ctx, s) {
				last = err
			}
			return last
		},
		"missing parents": func() (last error) {
			for _, err := range causal.MissingParents(ctx, s, eventtest.ProjectUUID) {
				last = err
			}
			return last
		},
		"follow": func() (last error) {
			for _, err := range causal.Follow(ctx, s, causal.Cursor{}) {
				last = err
			}
			return last
		},
		"consume": func() error { return causal.Consume(ctx, s, "p", nil, nil) },
	} {
		require.ErrorIs(t, call(), causal.ErrValidation, name)
		require.ErrorContains(t, call(), "must not be nil", name)
	}
}

// A nil pointer to an error does not cause a panic.
func TestNilErrors(t *testing.T) {
	for _, err := range []error{
		(*causal.ValidationError)(nil), (*causal.CycleError)(nil), (*causal.IDConflictError)(nil), (*causal.ForkError)(nil),
		(*causal.GapError)(nil), (*causal.ClockJumpError)(nil), (*causal.StorageError)(nil),
	} {
		require.NotEmpty(t, err.Error())
		require.NotErrorIs(t, err, causal.ErrClosed)
	}
}
