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

// EventParams are the inputs of [NewEvent], which copies them. The zero value
// is not valid: the fields marked required must be set. A [Node] sets NodeID,
// ProjectUUID, the clocks and, unless given, ProjectSlug and Parents; see
// [Node.Emit].
type EventParams struct {
	// ID is the event's identity. If it is empty, [NewEventID] provides one.
	ID EventID `validate:"eventid" wire:"event_id"`
	// Type names the kind of change, such as "WPStatusChanged". Required.
	Type string `validate:"required,utf8" wire:"event_type"`
	// AggregateID is the entity changed by the event. Required.
	AggregateID string `validate:"required,utf8" wire:"aggregate_id"`
	// Payload must encode as a JSON object; nil and a nil map mean {}. A
	// [json.RawMessage] is kept as it is, to the last digit. Anything else is
	// encoded by [json.Marshal], and its strings must be valid UTF-8.
	Payload any `validate:"-" wire:"payload"`
	// Timestamp is informational and never affects ordering. It defaults to the
	// current time in microseconds, a precision supported by every peer. The
	// year must be 1 through 9999 in the time's own zone; only the zone's
	// offset is kept.
	Timestamp time.Time `validate:"year" wire:"timestamp"`
	// NodeID is the node emitting the event. Required.
	NodeID string `validate:"required,utf8" wire:"node_id"`
	// LamportClock is the node's clock, from [LamportClock.Tick]. It must not
	// be negative.
	LamportClock int64 `validate:"gte=0" wire:"lamport_clock"`
	// CausationID is the event that caused this one. It is empty for a root
	// event.
	CausationID EventID `validate:"omitempty,eventid" wire:"causation_id"`
	// ProjectUUID is a UUID with hyphens, stored in lower case. Required.
	ProjectUUID string `validate:"hyphenated" wire:"project_uuid"`
	// ProjectSlug is the project's short name. Empty means none.
	ProjectSlug string `validate:"utf8" wire:"project_slug"`
	// CorrelationID groups the events of one undertaking. It defaults to the
	// event's own ID.
	CorrelationID EventID `validate:"omitempty,eventid" wire:"correlation_id"`
	// SchemaVersion is three numbers separated by dots. It defaults to "1.0.0".
	SchemaVersion string `validate:"version" wire:"schema_version"`
	// DataTier is how widely the event may be shared, 0 to 4.
	DataTier int `validate:"gte=0,lte=4" wire:"data_tier"`
	// Parents are the heads of the aggregate seen by the emitter, at most
	// 16,384. Exactly the events reachable through them happened before in the
	// aggregate. NewEvent sorts them and removes duplicates. nil means the
	// event does not state its past; empty but not nil means nothing came
	// before.
	Parents []EventID `validate:"-" wire:"parents"`
	// PreviousClock is the Lamport clock of the node's previous event in the
	// project, or 0 if there is none. It lets readers of the node's events
	// notice a gap. It is less than LamportClock, and 0 if Parents is nil.
	PreviousClock int64 `validate:"-" wire:"previous_clock"`
	// VectorClock is the node's vector clock as of this event, including it:
	// the entry for NodeID equals LamportClock, and all other entries are
	// smaller. Leave it zero if the node keeps no vector clock. Its JSON has
	// the node ID and about 10 bytes for each node.
	VectorClock VectorClock `validate:"-" wire:"vector_clock"`
}

// The fields of an event in wire order.
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

// defaultSchemaVersion is the schema version of events without one.
const defaultSchemaVersion = "1.0.0"

// An Event records a change made on a node. It is an immutable value, cheap to
// copy and safe for concurrent use. Methods return copies, so no caller can
// reach memory shared by an Event.
//
// The zero Event means "no event". It is not valid: it has no JSON form, and
// stores, merges and sorts refuse it. Its accessors return zero values. Create
// events with [NewEvent] or by decoding JSON. Compare two events with
// [Event.Equal]; == does not compile.
type Event struct {
	_     [0]func() // no ==, which would compare pointers
	clock int64     // a copy, so that sorting rarely needs to follow p
	p     *event
}

// event is the content of an Event. It is not modified once shared.
type event struct {
	payload     string                // a JSON object; beside idHash, because most merges read only these two
	idHash      uint64                // hashID(ID)
	EventParams                       // validated; its Payload is not used
	node        unique.Handle[string] // NodeID as a small comparable value
	extra       string                // unknown members as JSON text, each after a comma
	hasSlug     bool                  // project_slug is not null; "" and null differ on the wire
}

// NewEvent returns a new event. If p is invalid, it returns a
// [*ValidationError] listing every invalid field by its wire name.
func NewEvent(p EventParams) (Event, error) {
	d, err := newContent(p)
	if err != nil {
		return Event{}, err
	}
	return d.seal(), nil
}

// newContent returns valid content of an event that is not sealed yet.
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
		*id, _ = id.canonical() // invalid IDs are reported below
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

// eventFaults holds the first reason found for each field of an event.
type eventFaults [fieldCount]string

// validate checks the content by the rules of [EventParams], and adds to the
// known faults. It returns the error for all faults, or nil.
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

// seal completes valid content, which must not be modified once it is shared.
func (d *event) seal() Event {
	d.ProjectUUID = strings.ToLower(d.ProjectUUID)
	d.idHash = hashID(d.ID)
	d.node = unique.Make(d.NodeID)
	d.NodeID = d.node.Value() // one text for all events of the node
	return Event{clock: d.LamportClock, p: d}
}

// isValid reports whether p follows the rules of its validate tags. It repeats
// them because the validator takes several times as long (docs/adr/0012); the
// validator then finds the reasons for invalid events. A test checks that both
// agree.
func (p *EventParams) isValid() bool {
	text := func(s string) bool { return s != "" && utf8.ValidString(s) }
	return isEventID(string(p.ID)) && text(p.Type) && text(p.AggregateID) && text(p.NodeID) &&
		hasYear(p.Timestamp) && p.LamportClock >= 0 &&
		(p.CausationID == "" || isEventID(string(p.CausationID))) &&
		isHyphenatedUUID(p.ProjectUUID) && utf8.ValidString(p.ProjectSlug) &&
		(p.CorrelationID == "" || isEventID(string(p.CorrelationID))) &&
		isVersion(p.SchemaVersion) && 0 <= p.DataTier && p.DataTier <= 4
}

// checkEventVector returns the reason why v cannot be the vector clock of an
// event of this node and Lamport clock, or "" if it can. Compare never
// contradicts vector clocks accepted here.
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

// noEvent is the content of the zero Event. It is never modified.
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

// Type returns the kind of change.
func (e Event) Type() string { return e.content().Type }

// AggregateID returns the entity changed by the event.
func (e Event) AggregateID() string { return e.content().AggregateID }

// NodeID returns the emitting node.
func (e Event) NodeID() string { return e.content().NodeID }

// LamportClock returns the node's clock as of the event.
func (e Event) LamportClock() int64 { return e.clock }

// Timestamp returns the node's wall clock as of the event, in UTC or at a fixed
// offset. Never order events by it.
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

// IsStamped reports whether the event states its past, with Parents and a
// PreviousClock.
func (e Event) IsStamped() bool { return e.content().Parents != nil }

// Parents returns the heads of the aggregate seen by the emitter, in ascending
// order. It is nil if the event is not stamped, and empty if nothing came
// before. The caller owns the slice.
func (e Event) Parents() []EventID { return slices.Clone(e.content().Parents) }

// PreviousClock returns the Lamport clock of the node's previous event in the
// project, or 0 if there is none or the event is not stamped.
func (e Event) PreviousClock() int64 { return e.content().PreviousClock }

// VectorClock returns the node's vector clock as of the event, including it. It
// is zero if the event has none.
func (e Event) VectorClock() VectorClock { return e.content().VectorClock }

// Payload returns the payload's JSON text, exactly as given. The caller owns
// the result. It is nil for the zero Event.
func (e Event) Payload() json.RawMessage {
	if e.p == nil {
		return nil
	}
	return json.RawMessage(e.p.payload)
}

// DecodePayload decodes the payload into the value pointed to by v, as
// [json.Unmarshal] does. If decoding fails, it returns a [*ValidationError]
// with the decoder's error as its cause.
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
// payload. Names are case-sensitive; if a name is repeated, the last one wins,
// as in encoding/json. The caller owns the result.
func (e Event) PayloadField(name string) (json.RawMessage, bool) {
	value, ok := e.payloadMember(name)
	if !ok {
		return nil, false
	}
	return json.RawMessage(value), true
}

// payloadMember is like PayloadField, without the copy.
func (e Event) payloadMember(name string) (value string, ok bool) {
	if e.p == nil {
		return "", false
	}
	return rawjson.Find(e.p.payload, name)
}

// payloadError returns the error for the payload of an otherwise valid event.
func (e Event) payloadError(reason string, cause error) *ValidationError {
	return &ValidationError{
		EventID: e.ID(),
		Fields:  []FieldError{{fieldNames[fieldPayload], reason}},
		Err:     cause,
	}
}

// errZeroEvent returns the error for a zero Event.
func errZeroEvent() *ValidationError { return invalid("event", "must not be the zero Event") }

// String describes the event on one line, without its payload. The format is
// for people and may change.
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
// members are compared as JSON values, so 1, 1.0 and 1e0 are the same number
// and the order of members does not matter. Timestamps are compared as
// instants, and everything else exactly. Two zero Events are equal.
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

// asObject returns the JSON object with the members in list, each preceded by a
// comma.
func asObject(list string) string { return "{" + strings.TrimPrefix(list, ",") + "}" }
