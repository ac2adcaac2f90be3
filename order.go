package causal

import "strconv"

// Order is how one event relates to another ([History.Relation]), or one vector
// clock to another ([VectorClock.Compare]). The zero value is OrderUnknown.
type Order int

// The orders of a and b. For events, "a happens before b" means b's node had
// seen a when it emitted b (Lamport 1978). For vector clocks, it means b covers
// a and they differ.
const (
	// OrderUnknown means there is no evidence, or a contradiction.
	OrderUnknown Order = iota
	// OrderSame means a and b are the same event, or equal vector clocks.
	OrderSame
	// OrderBefore means a happens before b.
	OrderBefore
	// OrderAfter means b happens before a.
	OrderAfter
	// OrderConcurrent means neither happens before the other.
	OrderConcurrent
)

// String returns the name of the order, such as "Before".
func (o Order) String() string {
	switch o {
	case OrderUnknown:
		return "Unknown"
	case OrderSame:
		return "Same"
	case OrderBefore:
		return "Before"
	case OrderAfter:
		return "After"
	case OrderConcurrent:
		return "Concurrent"
	}
	return "Order(" + strconv.Itoa(int(o)) + ")"
}

// reverse returns the order of b and a, given that of a and b.
func (o Order) reverse() Order {
	switch o {
	case OrderBefore:
		return OrderAfter
	case OrderAfter:
		return OrderBefore
	case OrderUnknown, OrderSame, OrderConcurrent:
	}
	return o
}
