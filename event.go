package causal

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// EventParams are the inputs of [NewEvent], which copies what it keeps. The zero
// value is not valid: the fields marked required must be set. A [Node] sets the NodeID, the
// project, the clocks and, if they are nil, the Parents: see [Node.Emit].
type EventParams struct {
	// ID is the event's identity. If it is empty, NewEvent makes one with
	// [NewEventID].
	ID EventID `validate:"eventid" wire:"event_id"`
	// Type says what happened, such as "WPStatusChanged". Required.
	Type string `validate:"required,utf8" wire:"event_type"`
	// AggregateID is the entity that the event changes. Required.
	AggregateID string `validate:"required,utf8" wire:"aggregate_id"`
	// Payload must encode as a JSON object; nil and a nil map mean {}. A
	// [json.RawMessage] is kept as it is, to the last digit. Anything else goes
	// through [json.Marshal], and its strings must be valid UTF-8.
	Payload any `validate:"-" wire:"payload"`
	// Timestamp is informational and never affects ordering. It defaults to the
	// current time in microseconds, which every peer can keep. The year must be 1
	// through 9999 in the time's own zone; only the zone's offset is kept.
	Timestamp time.Time `validate:"year" wire:"timestamp"`
	// NodeID is the node that emitted the event. Required.
	NodeID string `validate:"required,utf8" wire:"node_id"`
	// LamportClock is the node's clock, from [LamportClock.Tick]. It must not be
	// negative.
	LamportClock int64 `validate:"gte=0" wire:"lamport_clock"`
	// CausationID is the event that caused this one. It is empty for a root
	// event.
	CausationID EventID `validate:"omitempty,eventid" wire:"causation_id"`
	// ProjectUUID is a UUID with hyphens; it is kept in lower case. Required.
	ProjectUUID string `validate:"hyphenated" wire:"project_uuid"`
	// ProjectSlug is the project's short name. Empty means none.
	ProjectSlug string `validate:"utf8" wire:"project_slug"`
	// CorrelationID groups the events of one undertaking. It defaults to the
	// event's own ID.
	CorrelationID EventID `validate:"omitempty,eventid" wire:"correlation_id"`
	// SchemaVersion is three numbers with dots. It defaults to "1.0.0".
	SchemaVersion string `validate:"version" wire:"schema_version"`
	// DataTier is how widely the event may be shared, 0 to 4.
	DataTier int `validate:"gte=0,lte=4" wire:"data_tier"`
	// Parents are the heads of the aggregate that the emitter had seen, 16,384 at
	// most: what happened before in the aggregate is what can be reached through
	// them. NewEvent sorts them and drops repetitions. nil means that the event does
	// not tell its past; empty and not nil, that nothing came before.
	Parents []EventID `validate:"-" wire:"parents"`
	// PreviousClock is the Lamport clock of the node's previous event in the
	// project, 0 if there is none, so that a reader of the node's events sees a gap.
	// It is less than LamportClock, and 0 if Parents is nil.
	PreviousClock int64 `validate:"-" wire:"previous_clock"`
	// VectorClock is the node's vector clock as of this event, including it: the
	// entry for NodeID equals LamportClock, and all other entries are smaller.
	// Leave it zero if the node keeps no vector clock. In JSON it takes the node ID
	// and about 10 bytes for each node.
	VectorClock VectorClock `validate:"-" wire:"vector_clock"`
}

// The fields of an event, in the order of the wire.
const (
	fieldEventID = iota
	fieldEventType
	fieldAggregateID
	fieldPayload
	fieldTimestamp
	fieldNodeID
	fieldLamportClock
	fieldCausationID
	fieldProjectUUID
	fieldProjectSlug
	fieldCorrelationID
	fieldSchemaVersion
	fieldDataTier
	fieldParents
	fieldPreviousClock
	fieldVectorClock
	fieldCount
)

var fieldNames = [fieldCount]string{
	"event_id", "event_type", "aggregate_id", "payload", "timestamp", "node_id", "lamport_clock",
	"causation_id", "project_uuid", "project_slug", "correlation_id", "schema_version", "data_tier",
	"parents", "previous_clock", "vector_clock",
}

// defaultSchemaVersion is the schema version of events that name none.
const defaultSchemaVersion = "1.0.0"

// Event is something that happened on a node: an immutable value, cheap to copy
// and safe for concurrent use. Methods return copies, so no caller can reach
// memory that an Event shares.
//
// The zero Event means "no event" and is not valid: it has no JSON form, and
// stores, merges and sorts refuse it. Its accessors return zero values. Make
// events with [NewEvent] or by decoding JSON. Compare two events with
// [Event.Equal]; == does not compile.
type Event struct {
	_     [0]func() // no ==, which would compare pointers
	clock int64     // a copy: sorting then mostly need not follow p
	p     *event
}

// event is what an Event points to. Nothing writes to it once it is shared.
type event struct {
	payload     string                // a JSON object; beside idHash, as merges mostly read just these
	idHash      uint64                // hashID(ID)
	EventParams                       // validated; its Payload is not used
	node        unique.Handle[string] // NodeID, small and equal for equal nodes
	extra       string                // unknown members as JSON text, each after a comma
	hasSlug     bool                  // project_slug is not null; "" and null differ on the wire
}

// NewEvent makes an event. If p is invalid, it returns a [*ValidationError] that
// names every bad field by its wire name.
func NewEvent(p EventParams) (Event, error) {
	d, err := newContent(p)
	if err != nil {
		return Event{}, err
	}
	return d.seal(), nil
}

// newContent returns the valid content of an event, which is not sealed.
func newContent(p EventParams) (*event, error) {
	hasID := p.ID != ""
	if !hasID {
		p.ID = NewEventID()
	}
	if p.SchemaVersion == "" {
		p.SchemaVersion = defaultSchemaVersion
	}
	if p.Timestamp.IsZero() {
		p.Timestamp = now()
	}
	for _, id := range []*EventID{&p.ID, &p.CausationID, &p.CorrelationID} {
		*id, _ = id.canonical() // what is not valid is refused below
	}
	p.Parents = sortedParents(p.Parents)
	p.Timestamp = wireTime(p.Timestamp)
	payload, err := encodePayload(p.Payload)
	fault, cause := faultOf(err)
	p.Payload = nil
	d := &event{EventParams: p, hasSlug: p.ProjectSlug != "", payload: payload}
	faults := eventFaults{fieldPayload: fault.Reason}
	if err := d.validate(&faults); err != nil {
		err.Err = cause
		if !hasID {
			err.EventID = "" // which nobody has seen
		}
		return nil, err
	}
	if d.CorrelationID == "" {
		d.CorrelationID = d.ID
	}
	return d, nil
}

// eventFaults holds at most one reason for each field of an event: the first that
// was found.
type eventFaults [fieldCount]string

// validate checks the content by the rules on [EventParams], and adds what it finds
// to the faults that are already known. It returns nil or the error for all faults.
func (d *event) validate(faults *eventFaults) *ValidationError {
	if faults[fieldVectorClock] == "" && faults[fieldNodeID] == "" && faults[fieldLamportClock] == "" {
		faults[fieldVectorClock] = checkEventVector(d.VectorClock, d.NodeID, d.LamportClock)
	}
	if faults[fieldParents] == "" && faults[fieldPreviousClock] == "" && faults[fieldLamportClock] == "" {
		faults[fieldParents], faults[fieldPreviousClock] = checkPast(d.Parents, d.PreviousClock, d.ID, d.LamportClock)
	}
	if *faults == (eventFaults{}) && d.isValid() {
		return nil
	}
	err := &ValidationError{Fields: checkFields(&d.EventParams, fieldNames[:], faults[:])}
	if isEventID(string(d.ID)) {
		err.EventID = d.ID
	}
	return err
}

// seal completes valid content, to which nothing writes from then on.
func (d *event) seal() Event {
	d.ProjectUUID = strings.ToLower(d.ProjectUUID)
	d.idHash = hashID(d.ID)
	d.node = unique.Make(d.NodeID)
	d.NodeID = d.node.Value() // one text for all events of the node
	return Event{clock: d.LamportClock, p: d}
}

// isValid reports whether p keeps the rules of its validate tags, of which it is a
// copy for the events that do: the validator takes several times as long
// (docs/adr/0012), and says why for the others. A test holds the two together.
func (p *EventParams) isValid() bool {
	text := func(s string) bool { return s != "" && utf8.ValidString(s) }
	return isEventID(string(p.ID)) && text(p.Type) && text(p.AggregateID) && text(p.NodeID) &&
		hasYear(p.Timestamp) && p.LamportClock >= 0 &&
		(p.CausationID == "" || isEventID(string(p.CausationID))) &&
		isHyphenatedUUID(p.ProjectUUID) && utf8.ValidString(p.ProjectSlug) &&
		(p.CorrelationID == "" || isEventID(string(p.CorrelationID))) &&
		isVersion(p.SchemaVersion) && 0 <= p.DataTier && p.DataTier <= 4
}

// checkEventVector returns why v cannot be the vector clock of an event that the
// node emitted at this Lamport time, "" if it can. If it can, Compare never
// contradicts what vector clocks say.
func checkEventVector(v VectorClock, node string, clock int64) string {
	switch {
	case v.IsZero():
		return ""
	case v.Len() > maxVectorNodes:
		return reasonVectorSize
	case v.At(node) != clock:
		return "must have lamport_clock as the time of node_id"
	}
	for other, time := range v.All() {
		if other != node && time >= clock {
			return "must have earlier times than lamport_clock for other nodes"
		}
	}
	return ""
}

// noEvent is the content of the zero Event. Nothing writes to it.
var noEvent event

func (e Event) content() *event {
	if e.p == nil {
		return &noEvent
	}
	return e.p
}

// IsZero reports whether e is the zero Event, which means "no event".
func (e Event) IsZero() bool { return e.p == nil }

// ID returns the event's identity.
func (e Event) ID() EventID { return e.content().ID }

// Type returns what happened.
func (e Event) Type() string { return e.content().Type }

// AggregateID returns the entity that the event changes.
func (e Event) AggregateID() string { return e.content().AggregateID }

// NodeID returns the node that emitted the event.
func (e Event) NodeID() string { return e.content().NodeID }

// LamportClock returns the node's clock at the event.
func (e Event) LamportClock() int64 { return e.clock }

// Timestamp returns the wall clock at the event, in UTC or at a fixed offset.
// Never order events by it.
func (e Event) Timestamp() time.Time { return e.content().Timestamp }

// CausationID returns the event that caused this one, "" for a root event.
func (e Event) CausationID() EventID { return e.content().CausationID }

// CorrelationID returns the ID that groups the events of one undertaking.
func (e Event) CorrelationID() EventID { return e.content().CorrelationID }

// ProjectUUID returns the project's UUID, in lower case.
func (e Event) ProjectUUID() string { return e.content().ProjectUUID }

// ProjectSlug returns the project's short name, "" if it has none.
func (e Event) ProjectSlug() string { return e.content().ProjectSlug }

// SchemaVersion returns the version of the event's schema.
func (e Event) SchemaVersion() string { return e.content().SchemaVersion }

// DataTier returns how widely the event may be shared, 0 to 4.
func (e Event) DataTier() int { return e.content().DataTier }

// IsStamped reports whether the event tells its past: whether it has Parents and a
// PreviousClock.
func (e Event) IsStamped() bool { return e.content().Parents != nil }

// Parents returns the heads of the aggregate that the emitter had seen, in ascending
// order. It is nil if the event is not stamped, and empty if nothing came before. The
// caller owns the slice.
func (e Event) Parents() []EventID { return slices.Clone(e.content().Parents) }

// PreviousClock returns the Lamport clock of the node's previous event in the project,
// 0 if there is none or the event is not stamped.
func (e Event) PreviousClock() int64 { return e.content().PreviousClock }

// VectorClock returns what the node had seen as of the event, including it. It is
// zero if the event carries no vector clock.
func (e Event) VectorClock() VectorClock { return e.content().VectorClock }

// Payload returns the payload's JSON text, exactly as it was given. The caller
// owns the result. It is nil for the zero Event.
func (e Event) Payload() json.RawMessage {
	if e.p == nil {
		return nil
	}
	return json.RawMessage(e.p.payload)
}

// DecodePayload decodes the payload into the value that v points to, as
// [json.Unmarshal] does. If that fails, it returns a [*ValidationError] with the
// decoder's error as its cause.
func (e Event) DecodePayload(v any) error {
	if e.p == nil {
		return errZeroEvent()
	}
	if err := json.Unmarshal([]byte(e.p.payload), v); err != nil {
		return e.payloadError(reasonOtherType, err)
	}
	return nil
}

// PayloadField returns the JSON text of the payload's top-level member with the
// given name, and reports whether it exists. It does not decode the rest of the
// payload. Names are case-sensitive; if a name is repeated, the last one wins, as
// in encoding/json. The caller owns the result.
func (e Event) PayloadField(name string) (json.RawMessage, bool) {
	value, ok := e.payloadMember(name)
	if !ok {
		return nil, false
	}
	return json.RawMessage(value), true
}

// payloadMember is PayloadField without the copy.
func (e Event) payloadMember(name string) (value string, ok bool) {
	if e.p == nil {
		return "", false
	}
	return rawjson.Find(e.p.payload, name)
}

// payloadError is a fault in the payload of an event that is itself valid.
func (e Event) payloadError(reason string, cause error) *ValidationError {
	return &ValidationError{
		EventID: e.ID(),
		Fields:  []FieldError{{fieldNames[fieldPayload], reason}},
		Err:     cause,
	}
}

// errZeroEvent reports the zero Event where an event must be given.
func errZeroEvent() *ValidationError { return invalid("event", "must not be the zero Event") }

// String describes the event on one line, without its payload. The format is for
// people and may change.
func (e Event) String() string {
	if e.p == nil {
		return "no event"
	}
	return fmt.Sprintf("%s %q on %q by %q at %d", e.p.ID, e.p.Type, e.p.AggregateID, e.p.NodeID, e.clock)
}

// LogValue describes the event for log/slog, without its payload.
func (e Event) LogValue() slog.Value {
	if e.p == nil {
		return slog.StringValue(e.String())
	}
	attrs := []slog.Attr{
		slog.String("event_id", string(e.p.ID)),
		slog.String("event_type", e.p.Type),
		slog.String("aggregate_id", e.p.AggregateID),
		slog.String("node_id", e.p.NodeID),
		slog.Int64("lamport_clock", e.clock),
	}
	if e.p.CausationID != "" {
		attrs = append(attrs, slog.String("causation_id", string(e.p.CausationID)))
	}
	return slog.GroupValue(attrs...)
}

// Equal reports whether e and f have the same content. Payloads and unknown
// members are compared as JSON values, so 1, 1.0 and 1e0 are the same number and
// the order of members does not matter. Timestamps are compared as instants, and
// everything else exactly. Two zero Events are equal.
func (e Event) Equal(f Event) bool {
	if e.p == f.p {
		return true
	}
	if e.p == nil || f.p == nil {
		return false
	}
	a, b := e.p, f.p
	return a.ID == b.ID && a.Type == b.Type && a.AggregateID == b.AggregateID && a.NodeID == b.NodeID &&
		a.LamportClock == b.LamportClock && a.Timestamp.Equal(b.Timestamp) && a.CausationID == b.CausationID &&
		a.ProjectUUID == b.ProjectUUID && a.ProjectSlug == b.ProjectSlug && a.hasSlug == b.hasSlug &&
		a.CorrelationID == b.CorrelationID && a.SchemaVersion == b.SchemaVersion && a.DataTier == b.DataTier &&
		(a.Parents == nil) == (b.Parents == nil) && slices.Equal(a.Parents, b.Parents) &&
		a.PreviousClock == b.PreviousClock && a.VectorClock.Compare(b.VectorClock) == OrderSame &&
		rawjson.Equal(a.payload, b.payload) &&
		(a.extra == b.extra || rawjson.Equal(asObject(a.extra), asObject(b.extra)))
}

// asObject returns the JSON object of a list of members, each after a comma.
func asObject(list string) string { return "{" + strings.TrimPrefix(list, ",") + "}" }
