package causal_test

import (
	"fmt"

	"github.com/spec-kitty/causal"
)

func ExampleOrder() {
	var order causal.Order // unknown
	fmt.Println(order, causal.OrderBefore, causal.OrderConcurrent.String())
	// Output: Unknown Before Concurrent
}
