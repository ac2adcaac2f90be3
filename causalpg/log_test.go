package causalpg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/eventtest"
)

// Nested ranges need no more connections than one.
func TestNestedRanges(t *testing.T) {
	ctx := t.Context()
	s := newOn(t, newPool(t, testDSN, withConns(1)))
	require.NoError(t, s.SaveEvents(ctx, eventtest.NewRange(t, 0, 100)))
	innermost := 0
	var nest func(depth int)
	nest = func(depth int) {
		for _, all := range eventtest.Ranges {
			n := 0
			for _, err := range all(ctx, s) {
				require.NoError(t, err)
				if depth == 0 {
					innermost++
				} else if n++; n == 40 { // on the second page
					nest(depth - 1)
				}
			}
		}
	}
	nest(3)
	require.Equal(t, 16*100, innermost)
}
