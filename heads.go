package causal

import (
	"maps"
	"slices"
)

// headIDs returns the heads of the events of a project, as LoadHeads does.
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

// headSet keeps the heads of an aggregate in a project while events come in any order, as
// long as all are stamped: then the heads are those that no event names as a parent whose
// clock is greater. It also keeps what is named and not stored, in any case.
type headSet struct {
	hasPlain bool
	heads    map[EventID]int64 // their clocks
	named    map[EventID]int64 // not stored: the greatest clock of those that name them
}

// add adds an event that is stored from now on. isStored reports whether one is.
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

// ids returns the heads in ascending order. They are known unless there are plain events.
func (s *headSet) ids() []EventID {
	ids := slices.AppendSeq(make([]EventID, 0, len(s.heads)), maps.Keys(s.heads))
	slices.Sort(ids)
	return ids
}
