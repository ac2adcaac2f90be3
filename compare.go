package causal

import (
	"cmp"
	"strings"
)

// Compare orders events by Lamport clock, then node ID, then event ID, the last
// two bytewise. It returns -1, 0 or +1, as [cmp.Compare] does, and 0 only for
// the same ID, clock and node. The order is total, the same everywhere, and
// extends causality: an effect comes after its cause if its node has seen the
// cause's clock ([LamportClock.Update]). The converse does not hold: if a comes
// before b, a need not have caused b. The zero Event is least.
func Compare(a, b Event) int {
	if a.clock != b.clock {
		return cmp.Compare(a.clock, b.clock)
	}
	x, y := a.content(), b.content()
	if c := strings.Compare(x.NodeID, y.NodeID); c != 0 {
		return c
	}
	return strings.Compare(string(x.ID), string(y.ID))
}
