package causal

import (
	"slices"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// maxParents is the maximum number of parents of an event.
const maxParents = 16_384

// sortedParents returns the parents in canonical form: a sorted set, with IDs
// in canonical case where valid. It shares nothing with parents.
func sortedParents(parents []EventID) []EventID {
	if parents == nil {
		return nil
	}
	sorted := make([]EventID, len(parents))
	for i, id := range parents {
		sorted[i], _ = id.canonical()
	}
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// checkPast returns the reasons why the event with this ID and clock cannot
// have these parents and this previous clock, or "".
func checkPast(parents []EventID, previous int64, id EventID, clock int64) (parentsFault, previousFault string) {
	switch {
	case previous < 0:
		previousFault = reasonNotNegative
	case parents != nil && previous >= clock:
		previousFault = "must be less than lamport_clock"
	}
	switch {
	case parents == nil && previous != 0:
		parentsFault = reasonMissing
	case len(parents) > maxParents:
		parentsFault = "must have at most 16384 events"
	case slices.Contains(parents, id):
		parentsFault = "must not have the event itself"
	}
	for i, parent := range parents {
		switch {
		case !isEventID(string(parent)):
			return "has an item that " + reasonEventID, previousFault
		case i > 0 && parents[i-1] >= parent:
			return reasonUnsorted, previousFault
		}
	}
	return parentsFault, previousFault
}

// parseParents returns the parents in a JSON array. The result is not nil,
// which would mean that there is no array.
func parseParents(value string) ([]EventID, error) {
	parents := []EventID{}
	err := readArray(value, func(text string) error {
		id, err := parseEventID(text)
		parents = append(parents, id)
		return err
	})
	return parents, err
}

// appendParents appends the parents as a JSON array.
func appendParents(b []byte, parents []EventID) []byte {
	b = append(b, '[')
	for i, id := range parents {
		if i > 0 {
			b = append(b, ',')
		}
		b = rawjson.AppendString(b, string(id))
	}
	return append(b, ']')
}
