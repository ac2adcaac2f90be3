package causal

import (
	"cmp"
	"fmt"
)

// StateMachine defines where [MergeStateMachine] and [ResolveState] find states
// and how they rank them. Priority must not be modified during a merge.
type StateMachine struct {
	// Priority ranks every possible state; the highest wins.
	Priority map[string]int
	// Key is the payload member with the state. It defaults to "state". By
	// default only, an event whose member is missing or null has its state in
	// "status".
	Key string
}

// ConflictResolution is the result of [MergeStateMachine] and [ResolveState].
// The caller owns it. The zero value comes with errors.
type ConflictResolution struct {
	// MergedEvent is the event whose state wins; nothing is merged into it.
	// State is the state.
	MergedEvent Event
	State       string
	// ResolutionNote explains to people which state won, why, and over how many
	// events. It is the same for the same set of events. Its wording may change
	// between versions.
	ResolutionNote string
	// RequiresManualReview reports whether the ranking alone does not decide:
	// several events have the highest priority, or it is unknown whether one of
	// two events follows the other. MergeStateMachine never sets it, because it
	// breaks ties by the order of the events.
	RequiresManualReview bool
	// ConflictingEvents are the ranked events, without duplicates, in the order
	// of Compare. For MergeStateMachine, these are all of the input.
	ConflictingEvents []Event
}

// MergeStateMachine resolves the conflict between events that change one
// aggregate at the same Lamport clock. The state with the highest priority
// wins. Among events with that priority, the first under [Compare] wins, which
// is the one with the least node ID.
//
// MergeStateMachine returns a [*ValidationError] if there are no events, if
// they differ in clock or aggregate, if a state is missing, not a string or not
// ranked, or if an event is zero. It returns an [*IDConflictError] if two
// different events share an ID.
func MergeStateMachine(events []Event, m StateMachine) (ConflictResolution, error) {
	return MergeStateMachineFunc(events, m.Priority, func(e Event) (string, error) {
		state, ok, err := m.state(e)
		if err == nil && !ok {
			return "", e.payloadError("has no state", nil)
		}
		return state, err
	})
}

// member returns the JSON text of the member with the state of e.
func (m StateMachine) member(e Event) (value string, ok bool) {
	key := cmp.Or(m.Key, "state")
	value, ok = e.payloadMember(key)
	if key == "state" && (!ok || value == "null") {
		value, ok = e.payloadMember("status")
	}
	return value, ok
}

// state returns the state in an event; ok is false if there is none.
func (m StateMachine) state(e Event) (state string, ok bool, err error) {
	value, ok := m.member(e)
	if !ok {
		return "", false, nil
	}
	state, err = parseString(value)
	if err != nil {
		fault, _ := faultOf(err)
		return "", false, e.payloadError("has a state that "+fault.Reason, nil)
	}
	return state, true, nil
}

// MergeStateMachineFunc is like [MergeStateMachine], but calls state to extract
// the state of an event. The function must be pure. If it returns an error,
// MergeStateMachineFunc returns a [*ValidationError] with this cause.
func MergeStateMachineFunc(
	events []Event, priority map[string]int, state func(Event) (string, error),
) (ConflictResolution, error) {
	switch {
	case state == nil:
		return ConflictResolution{}, invalid("state", reasonNil)
	case len(events) == 0:
		return ConflictResolution{}, invalid("events", reasonEmpty)
	}
	sorted, _, err := distinct(events)
	if err != nil {
		return ConflictResolution{}, err
	}
	states := make([]string, len(sorted))
	for i, e := range sorted {
		switch first := sorted[0]; {
		case e.clock != first.clock:
			return ConflictResolution{}, e.differs(fieldLamportClock)
		case e.p.AggregateID != first.p.AggregateID:
			return ConflictResolution{}, e.differs(fieldAggregateID)
		}
		if states[i], err = state(e); err != nil {
			return ConflictResolution{}, extractionError(e, err)
		}
		if _, ok := priority[states[i]]; !ok {
			return ConflictResolution{}, e.payloadError(reasonUnranked, nil)
		}
	}
	resolution, _ := rank(sorted, states, priority, "first by node ID and event ID")
	return resolution, nil
}

// ResolveState returns the state of an aggregate, given all of its events. The
// candidates are the events with a state not followed by another event with a
// state, as far as their [History] tells. A single candidate is the answer. Of
// several, the one with the highest priority wins; on a tie, the first under
// [Compare]. RequiresManualReview is set on a tie, and if it is unknown whether
// one candidate follows another. Unlike [MergeStateMachine], ResolveState
// accepts events with different clocks.
//
// An event whose state is missing or null has none. Pass every event of the
// aggregate, because events without a state connect the others. For one of
// several fields, use [ResolveStateFunc] or [StateMachine].Key; do not filter.
//
// ResolveState returns a [*ValidationError] if no event has a state, if a
// candidate's state is not a string or not ranked, if the events are of several
// aggregates or projects, or if one is zero. It returns an [*IDConflictError]
// if different events share an ID.
func ResolveState(events []Event, m StateMachine) (ConflictResolution, error) {
	return ResolveStateFunc(events, m.Priority, func(e Event) (string, bool, error) {
		if value, ok := m.member(e); !ok || value == "null" {
			return "", false, nil
		}
		return m.state(e)
	})
}

// ResolveStateFunc is like [ResolveState], but calls state to extract the state
// of an event. The function returns false for an event without one, and must be
// pure. If it returns an error for an event not followed by another event with
// a state, ResolveStateFunc returns a [*ValidationError] with this cause.
func ResolveStateFunc(
	events []Event, priority map[string]int, state func(Event) (string, bool, error),
) (ConflictResolution, error) {
	if state == nil {
		return ConflictResolution{}, invalid("state", reasonNil)
	}
	h, last, states, err := lastWrites(events, state, func(e Event, s string) error {
		if _, ok := priority[s]; !ok {
			return e.payloadError(reasonUnranked, nil)
		}
		return nil
	})
	switch {
	case err != nil:
		return ConflictResolution{}, err
	case len(last) == 0:
		return ConflictResolution{}, invalid("events", "must have one with a state")
	}
	resolution, ties := rank(h.find().at(last), states, priority, "first by clock, node ID and event ID")
	resolution.RequiresManualReview = ties > 1 || !h.find().isCertain(last)
	return resolution, nil
}

const reasonUnranked = "has a state that is not in the priority map"

// rank returns the winner among events with the given states, and the number of
// events with its priority. order describes the order of the events, which
// breaks ties.
func rank(events []Event, states []string, priority map[string]int, order string) (r ConflictResolution, ties int) {
	best := 0
	for i, s := range states {
		switch {
		case priority[s] > priority[states[best]]:
			best, ties = i, 1
		case priority[s] == priority[states[best]]:
			ties++
		}
	}
	return ConflictResolution{
		MergedEvent:       events[best],
		State:             states[best],
		ResolutionNote:    resolutionNote(events[best], states[best], priority[states[best]], len(events), ties, order),
		ConflictingEvents: events,
	}, ties
}

// resolutionNote explains the choice of a winner among count events, of which
// ties have its priority, so that the order decides.
func resolutionNote(winner Event, state string, priority, count, ties int, order string) string {
	claim := fmt.Sprintf("state %q (priority %d) from node %q", state, priority, winner.p.NodeID)
	if count == 1 {
		return claim + " stands: no other event is in conflict with it"
	}
	others := "1 other event"
	if count > 2 {
		others = fmt.Sprintf("%d other events", count-1)
	}
	reason := "its priority is the highest"
	if ties > 1 {
		reason = fmt.Sprintf("of %d with the highest priority it is the %s", ties, order)
	}
	return fmt.Sprintf("%s wins over %s: %s", claim, others, reason)
}
