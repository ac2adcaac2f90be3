package adapter

import (
	"slices"

	"github.com/spec-kitty/causal"
)

// HeadIDs returns what LoadHeads of [causal.HeadLoader] does, from the events of the
// aggregate.
func HeadIDs(events []causal.Event, project string) ([]causal.EventID, error) {
	heads, err := causal.Heads(slices.DeleteFunc(events, func(e causal.Event) bool { return e.ProjectUUID() != project }))
	if err != nil {
		return nil, err
	}
	ids := make([]causal.EventID, len(heads))
	for i, e := range heads {
		ids[i] = e.ID()
	}
	slices.Sort(ids)
	return ids, nil
}
