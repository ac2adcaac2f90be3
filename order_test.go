package causal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

func TestOrderString(t *testing.T) {
	for order, want := range map[causal.Order]string{
		causal.OrderUnknown: "Unknown", causal.OrderSame: "Same", causal.OrderBefore: "Before",
		causal.OrderAfter: "After", causal.OrderConcurrent: "Concurrent", 9: "Order(9)", -1: "Order(-1)",
	} {
		require.Equal(t, want, order.String())
	}
	require.Zero(t, causal.OrderUnknown, "so that what nobody set claims nothing")
}
