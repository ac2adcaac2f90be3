package causal

import "strconv"

// Order is how one event relates to another ([History.Relation]), or one vector clock to
// another ([VectorClock.Compare]). The zero value is OrderUnknown.
type Order int

// The orders of a to b. Of events, "a happens before b" means that b's node had seen
// a when it emitted b (Lamport 1978); of vector clocks, that b has seen all that a
// has, and more.
const (
	// OrderUnknown means that what is known proves nothing, or contradicts itself.
	OrderUnknown Order = iota
	// OrderSame means that a and b are the same event, or have seen the same.
	OrderSame
	// OrderBefore means that a happens before b.
	OrderBefore
	// OrderAfter means that b happens before a.
	OrderAfter
	// OrderConcurrent means that neither happens before the other.
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

// reverse returns how b relates to a if a relates to b like this.
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
