package causal

import (
	"maps"
	"slices"
)

// headIDs returns the heads of the events in a project, as LoadHeads does.
func headIDs(events []Event, project string) ([]EventID, error) {
	h, err := NewHistory(slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return e.ProjectUUID() != project }))
	if err != nil {
		return nil, err
	}
	heads := h.Heads()
	ids := make([]EventID, len(heads))
	for i, e := range heads {
		ids[i] = e.p.ID
	}
	slices.Sort(ids)
	return ids, nil
}

// headSet tracks the heads of an aggregate in a project while stamped events
// arrive in any order. As long as all are stamped, the heads are the events not
// named as a parent by an event with a greater clock. It also tracks, even if
// there are plain events, which parents are named but not stored.
type headSet struct {
	hasPlain bool
	heads    map[EventID]int64 // their clocks
	named    map[EventID]int64 // not stored: the greatest clock of the events naming them
}

// add adds an event that has just been stored. isStored reports whether an
// event is stored.
func (s *headSet) add(e Event, isStored func(EventID) bool) {
	if e.p.Parents == nil {
		s.hasPlain, s.heads = true, nil
	}
	if s.heads == nil {
		s.heads = map[EventID]int64{}
	}
	if !s.hasPlain && s.named[e.p.ID] <= e.clock {
		s.heads[e.p.ID] = e.clock
	}
	delete(s.named, e.p.ID)
	for _, id := range e.p.Parents {
		clock, isHead := s.heads[id]
		switch {
		case isHead && clock < e.clock:
			delete(s.heads, id)
		case !isHead && !isStored(id):
			if s.named == nil {
				s.named = map[EventID]int64{}
			}
			s.named[id] = max(s.named[id], e.clock)
		}
	}
}

// ids returns the heads in ascending order. They are right unless there are
// plain events.
func (s *headSet) ids() []EventID {
	ids := slices.AppendSeq(make([]EventID, 0, len(s.heads)), maps.Keys(s.heads))
	slices.Sort(ids)
	return ids
}
