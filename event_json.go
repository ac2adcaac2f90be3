package causal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// UnmarshalJSON decodes an event from its wire format. Unknown members are
// preserved, and written back by MarshalJSON. If data is invalid or null,
// UnmarshalJSON leaves *e unchanged and returns a [*ValidationError] listing
// every missing or invalid member. It does not retain data.
func (e *Event) UnmarshalJSON(data []byte) error {
	decoded, err := decodeEvent(data)
	if err != nil {
		return err
	}
	*e = decoded
	return nil
}

func decodeEvent(data []byte) (Event, error) {
	text, err := checkJSON(data)
	if err != nil {
		return Event{}, err
	}
	if text[0] != '{' {
		return Event{}, invalid("", reasonNotObject)
	}
	d := eventDecoder{content: &event{payload: "{}"}}
	d.content.SchemaVersion = defaultSchemaVersion
	for rawName, value := range rawjson.Members(text) {
		if err := d.add(rawName, value); err != nil {
			return Event{}, err
		}
	}
	for _, m := range requiredFields {
		if !d.seen[m] {
			d.faults[m] = reasonMissing
		}
	}
	switch given, previousGiven := d.seen[fieldParents], d.seen[fieldPreviousClock]; {
	case given && !previousGiven:
		d.faults[fieldPreviousClock] = reasonMissing
	case previousGiven && !given:
		d.faults[fieldParents] = reasonMissing
	}
	d.content.extra = d.extra.String()
	if err := d.content.validate(&d.faults); err != nil {
		return Event{}, err
	}
	return d.content.seal(), nil
}

var requiredFields = [...]int{
	fieldEventID, fieldEventType, fieldAggregateID, fieldTimestamp,
	fieldNodeID, fieldLamportClock, fieldProjectUUID, fieldCorrelationID,
}

// eventDecoder collects the members of one event.
type eventDecoder struct {
	content *event
	faults  eventFaults
	seen    [fieldCount]bool
	next    int // the field after the last known one
	unknown map[string]bool
	extra   strings.Builder
}

// add adds a member. It collects faults of known members, and returns any other
// fault, which ends the decoding.
func (d *eventDecoder) add(rawName, value string) error {
	name, ok := rawjson.Unquote(rawName)
	if !ok {
		return invalid("", "has a member name with half of a surrogate pair")
	}
	m := d.next // members are mostly in wire order
	if m == fieldCount || fieldNames[m] != name {
		m = slices.Index(fieldNames[:], name)
	}
	if m < 0 {
		return d.addUnknown(name, rawName, value)
	}
	if d.seen[m] {
		d.faults[m] = reasonTwice
		return nil
	}
	d.next = m + 1
	d.seen[m] = true
	fault, _ := faultOf(d.set(m, value))
	d.faults[m] = fault.Reason
	return nil
}

// addUnknown keeps an unknown member unchanged.
func (d *eventDecoder) addUnknown(name, rawName, value string) error {
	if d.unknown[name] {
		return invalid("", "has an unknown member that "+reasonTwice) // whose name is a text of the sender
	}
	if rawjson.IsDeeper(value, maxDepth) {
		return invalid("", "has an unknown member that "+reasonTooDeep)
	}
	if d.unknown == nil {
		d.unknown = map[string]bool{}
	}
	d.unknown[name] = true
	d.extra.WriteByte(',')
	d.extra.WriteString(rawName)
	d.extra.WriteByte(':')
	d.extra.WriteString(value)
	return nil
}

// set stores the value of a known field, if its JSON type is right.
func (d *eventDecoder) set(field int, value string) (err error) {
	c := d.content
	switch field {
	case fieldPayload:
		c.payload, err = parseObject(value)
	case fieldTimestamp:
		c.Timestamp, err = parseTime(value)
	case fieldLamportClock:
		c.LamportClock, err = parseInt(value)
	case fieldDataTier:
		var n int64
		n, err = parseInt(value)
		c.DataTier = int(min(max(n, -1), 5)) // out of range at either end, and refused
	case fieldProjectSlug:
		if c.hasSlug = value != "null"; c.hasSlug {
			c.ProjectSlug, err = parseString(value)
		}
	case fieldCausationID:
		if value != "null" {
			c.CausationID, err = parseEventID(value)
		}
	case fieldParents:
		c.Parents, err = parseParents(value)
	case fieldPreviousClock:
		c.PreviousClock, err = parseClock(value)
	case fieldVectorClock:
		c.VectorClock, err = parseVectorClock(value)
	case fieldEventID:
		c.ID, err = parseEventID(value)
	case fieldCorrelationID:
		c.CorrelationID, err = parseEventID(value)
	case fieldEventType:
		c.Type, err = parseString(value)
	case fieldAggregateID:
		c.AggregateID, err = parseString(value)
	case fieldNodeID:
		c.NodeID, err = parseString(value)
	case fieldProjectUUID:
		c.ProjectUUID, err = parseString(value)
	case fieldSchemaVersion:
		c.SchemaVersion, err = parseString(value)
	}
	return err
}

// MarshalJSON encodes the event in its wire format: the 13 members in the order
// of the specification; parents, previous clock and vector clock if the event
// has them; and then the unknown members, unchanged and in their original
// order. For the zero Event it returns a [*ValidationError].
func (e Event) MarshalJSON() ([]byte, error) {
	if e.p == nil {
		return nil, errZeroEvent()
	}
	d := e.p
	const punctuation = 400 // names, numbers and room for a few escapes
	b := make([]byte, 0, punctuation+len(d.Type)+len(d.AggregateID)+len(d.NodeID)+
		len(d.ProjectSlug)+len(d.payload)+len(d.extra)+3*eventIDLength+len(d.Parents)*(eventIDLength+len(`"",`)))
	b = appendString(b, `{"event_id":`, string(d.ID))
	b = appendString(b, `,"event_type":`, d.Type)
	b = appendString(b, `,"aggregate_id":`, d.AggregateID)
	b = append(b, `,"payload":`...)
	b = append(b, d.payload...)
	b = append(b, `,"timestamp":"`...)
	b = d.Timestamp.AppendFormat(b, time.RFC3339Nano)
	b = appendString(b, `","node_id":`, d.NodeID)
	b = append(b, `,"lamport_clock":`...)
	b = strconv.AppendInt(b, d.LamportClock, 10)
	b = appendOptional(b, `,"causation_id":`, string(d.CausationID), d.CausationID != "")
	b = appendString(b, `,"project_uuid":`, d.ProjectUUID)
	b = appendOptional(b, `,"project_slug":`, d.ProjectSlug, d.hasSlug)
	b = appendString(b, `,"correlation_id":`, string(d.CorrelationID))
	b = appendString(b, `,"schema_version":`, d.SchemaVersion)
	b = append(b, `,"data_tier":`...)
	b = strconv.AppendInt(b, int64(d.DataTier), 10)
	if d.Parents != nil {
		b = appendParents(append(b, `,"parents":`...), d.Parents)
		b = strconv.AppendInt(append(b, `,"previous_clock":`...), d.PreviousClock, 10)
	}
	if !d.VectorClock.IsZero() {
		b = d.VectorClock.appendJSON(append(b, `,"vector_clock":`...))
	}
	b = append(b, d.extra...)
	return append(b, '}'), nil
}
