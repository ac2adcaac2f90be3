package causal

import (
	"slices"
	"strings"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// emission is one call of Emit, EmitAll or Decide.
type emission struct {
	drafts   []draft
	single   [1]draft     // backs drafts of one event
	group    [1]*emission // backs a group of one emission
	decision *decision    // nil if unconditional
	isTaken  bool         // by a save, and cannot be withdrawn; guarded by the node

	done chan struct{} // nil if its caller saves it
	err  error         // when done
}

// draft is an event that is not stamped yet, or the stored event with its ID.
type draft struct {
	content   *event
	hasID     bool      // given by the caller
	parents   []EventID // given by the caller; nil stands for the heads
	isStamped bool      // content is shared with an event
	heads     *aggregateHeads
	stored    Event
}

// decision is the condition of an emission: nothing was saved in the aggregates
// after the cursor.
type decision struct {
	after      Cursor
	aggregates []string
}

func (e *emission) finish(err error) {
	if e.err = err; e.done != nil {
		close(e.done)
	}
}

// addIDs adds the IDs given by the caller, and reports whether they are new.
func (e *emission) addIDs(ids map[EventID]bool) bool {
	areNew := true
	for i := range e.drafts {
		if id := e.drafts[i].content.ID; e.drafts[i].hasID {
			areNew = areNew && !ids[id]
			ids[id] = true
		}
	}
	return areNew
}

func finishAll(group []*emission, err error) {
	for _, e := range group {
		e.finish(err)
	}
}

// isStored reports whether all events are stored.
func (e *emission) isStored() bool {
	return !slices.ContainsFunc(e.drafts, func(d draft) bool { return d.stored.p == nil })
}

// newDraft returns the event described by p, with missing parameters taken from
// own.
func newDraft(p EventParams, own EventParams) (draft, error) {
	err := &ValidationError{EventID: p.ID}
	add := func(field int, reason string) {
		err.Fields = append(err.Fields, FieldError{fieldNames[field], reason})
	}
	hasID := p.ID != ""
	if p.NodeID != "" && p.NodeID != own.NodeID {
		add(fieldNodeID, "must be empty or that of the node")
	}
	if p.LamportClock != 0 {
		add(fieldLamportClock, reasonStamped)
	}
	if p.ProjectUUID != "" && !strings.EqualFold(p.ProjectUUID, own.ProjectUUID) {
		add(fieldProjectUUID, "must be empty or that of the node")
	}
	if p.PreviousClock != 0 {
		add(fieldPreviousClock, reasonStamped)
	}
	if !p.VectorClock.IsZero() {
		add(fieldVectorClock, reasonStamped)
	}
	if len(err.Fields) > 0 {
		return draft{}, err
	}
	p.NodeID, p.ProjectUUID = own.NodeID, own.ProjectUUID
	if p.ProjectSlug == "" {
		p.ProjectSlug = own.ProjectSlug
	}
	p.LamportClock = 1 // until it is stamped
	content, contentErr := newContent(p)
	if contentErr != nil {
		return draft{}, contentErr
	}
	content.seal()
	return draft{content: content, hasID: hasID, parents: content.Parents}, nil
}

const reasonStamped = "must be zero: the node sets it"

// invalid returns the error for a field of a draft, with its ID if the caller
// gave one.
func (d *draft) invalid(field int, reason string) error {
	err := invalid(fieldNames[field], reason)
	if d.hasID {
		err.EventID = d.content.ID
	}
	return err
}

// agrees reports whether a stored event says what the draft was to say.
func (d *draft) agrees(stored Event) bool {
	return stored.p.ProjectUUID == d.content.ProjectUUID && stored.p.Type == d.content.Type &&
		stored.p.AggregateID == d.content.AggregateID && rawjson.Equal(stored.p.payload, d.content.payload)
}

// stamp returns the event with its stamp.
func (d *draft) stamp(clock, previous int64, parents []EventID, seen VectorClock) Event {
	if d.isStamped {
		content := *d.content
		d.content = &content
	}
	d.isStamped = true
	d.content.LamportClock, d.content.PreviousClock, d.content.Parents, d.content.VectorClock = clock, previous, parents, seen
	return Event{clock: clock, p: d.content}
}
