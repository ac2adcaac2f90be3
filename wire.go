package causal

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// UnmarshalJSON reads an event from its wire format. It leaves *e as it was if
// there is an error, which is a [*ValidationError] that names every member that
// is missing or wrong; also null is refused. Members that this package does not
// know are kept and written back. The caller keeps data.
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
		if err := d.member(rawName, value); err != nil {
			return Event{}, err
		}
	}
	for _, m := range requiredMembers {
		if !d.seen[m] {
			d.faults[m] = reasonMissing
		}
	}
	d.content.extra = d.extra.String()
	if err := d.content.finish(&d.faults); err != nil {
		return Event{}, err
	}
	return Event{clock: d.content.LamportClock, p: d.content}, nil
}

var requiredMembers = [...]int{
	memberEventID, memberEventType, memberAggregateID, memberTimestamp,
	memberNodeID, memberLamportClock, memberProjectUUID, memberCorrelationID,
}

// eventDecoder gathers the members of one event.
type eventDecoder struct {
	content *event
	faults  eventFaults
	seen    [memberCount]bool
	next    int // the member behind the last known one
	unknown map[string]bool
	extra   strings.Builder
}

// member takes one member. Faults of known members are gathered; others end the
// decoding.
func (d *eventDecoder) member(rawName, value string) error {
	name, ok := rawjson.Unquote(rawName)
	if !ok {
		return invalid("", "has a member name with half of a surrogate pair")
	}
	m := d.next // members mostly come in the order of the wire
	if m == memberCount || eventMembers[m] != name {
		m = slices.Index(eventMembers[:], name)
	}
	if m < 0 {
		return d.unknownMember(name, rawName, value)
	}
	if d.seen[m] {
		d.faults[m] = reasonTwice
		return nil
	}
	d.next = m + 1
	d.seen[m] = true
	d.faults[m] = d.set(m, value)
	return nil
}

// unknownMember keeps a member that is not ours as it is.
func (d *eventDecoder) unknownMember(name, rawName, value string) error {
	if d.unknown[name] {
		return invalid(name, reasonTwice)
	}
	if rawjson.IsDeeper(value, maxDepth) {
		return invalid(name, reasonTooDeep)
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

// set stores the value of a known member and returns what is wrong with it, ""
// if its JSON type is right.
func (d *eventDecoder) set(m int, value string) (reason string) {
	c := d.content
	switch m {
	case memberPayload:
		c.payload, reason = objectMember(value)
	case memberTimestamp:
		c.Timestamp, reason = timestampMember(value)
	case memberLamportClock:
		c.LamportClock, reason = integerMember(value)
	case memberDataTier:
		var n int64
		n, reason = integerMember(value)
		c.DataTier = int(min(max(n, -1), 5)) // both ends are refused
	case memberProjectSlug:
		if c.hasSlug = value != "null"; c.hasSlug {
			c.ProjectSlug, reason = stringMember(value)
		}
	case memberCausationID:
		if value != "null" {
			c.CausationID, reason = idMember(value)
		}
	case memberVectorClock:
		c.VectorClock, reason = parseVectorClock(value)
	case memberEventID:
		c.ID, reason = idMember(value)
	case memberCorrelationID:
		c.CorrelationID, reason = idMember(value)
	case memberEventType:
		c.Type, reason = stringMember(value)
	case memberAggregateID:
		c.AggregateID, reason = stringMember(value)
	case memberNodeID:
		c.NodeID, reason = stringMember(value)
	case memberProjectUUID:
		c.ProjectUUID, reason = stringMember(value)
	case memberSchemaVersion:
		c.SchemaVersion, reason = stringMember(value)
	}
	return reason
}

// stringMember returns what a JSON string means, or why it is none.
func stringMember(value string) (s, reason string) {
	switch {
	case value == "null":
		return "", reasonNull
	case value[0] != '"':
		return "", reasonNotString
	}
	s, ok := rawjson.Unquote(value)
	if !ok {
		return "", reasonSurrogate
	}
	return s, ""
}

// idMember returns the event ID that a JSON string holds, or why it holds none;
// "" would count as an ID that was left out.
func idMember(value string) (id EventID, reason string) {
	s, reason := stringMember(value)
	if s == "" && reason == "" {
		reason = reasonEventID
	}
	return EventID(s), reason
}

// integerMember returns the value of a JSON integer, or why it is none.
func integerMember(value string) (n int64, reason string) {
	if value == "null" {
		return 0, reasonNull
	}
	if !isDigits(strings.TrimPrefix(value, "-")) {
		return 0, reasonNotInteger
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, reasonRange
	}
	return n, ""
}

// objectMember returns the text of a JSON object, or why it is none.
func objectMember(value string) (text, reason string) {
	if value[0] != '{' {
		return "", reasonNotObject
	}
	if rawjson.IsDeeper(value, maxDepth) {
		return "", reasonTooDeep
	}
	return value, ""
}

// timestampMember returns the time that a JSON string means, or why it means
// none.
func timestampMember(value string) (t time.Time, reason string) {
	s, reason := stringMember(value)
	if reason != "" {
		return t, reason
	}
	t, ok := parseTimestamp(s)
	if !ok {
		return t, reasonTimestamp
	}
	return t, ""
}

// parseTimestamp reads an RFC 3339 date and time, and what the Python library
// writes and reads besides: without a zone, which means UTC, with a space for
// the T, and a bare date. More than nine decimals would be lost, so they are
// refused.
func parseTimestamp(s string) (t time.Time, ok bool) {
	const date = len("2006-01-02")
	const second = len("2006-01-02T15:04:05")
	switch {
	case len(s) == date:
		s += "T00:00:00Z"
	case len(s) < second:
		return t, false
	case s[date] == ' ':
		s = s[:date] + "T" + s[date+1:]
	}
	fraction, zone := s[second:], "Z"
	if i := strings.IndexAny(fraction, "Z+-"); i >= 0 {
		fraction, zone = fraction[:i], fraction[i:]
	} else {
		s += zone
	}
	// What follows are faults that time.Parse overlooks.
	switch {
	case fraction != "" && fraction[0] != '.', len(fraction) > len(".999999999"):
		return t, false
	case zone != "Z" && (len(zone) != len("+07:00") || zone[1:3] > "23" || zone[4:6] > "59"):
		return t, false
	}
	t, err := time.Parse(time.RFC3339, s)
	return fixZone(t), err == nil
}

// MarshalJSON writes the event in its wire format: the 13 members in the order
// of the specification, the vector clock if there is one, then the members that this package does not know, as
// they came. The error for the zero Event is a [*ValidationError].
func (e Event) MarshalJSON() ([]byte, error) {
	if e.p == nil {
		return nil, errZeroEvent()
	}
	d := e.p
	const punctuation = 400 // names, numbers and room for a few escapes
	b := make([]byte, 0, punctuation+len(d.Type)+len(d.AggregateID)+len(d.NodeID)+
		len(d.ProjectSlug)+len(d.payload)+len(d.extra)+3*eventIDLength)
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
	if !d.VectorClock.IsZero() {
		b = d.VectorClock.appendJSON(append(b, `,"vector_clock":`...))
	}
	b = append(b, d.extra...)
	return append(b, '}'), nil
}

// appendString appends the name with its punctuation, then s as a JSON string.
func appendString(b []byte, name, s string) []byte {
	return rawjson.AppendString(append(b, name...), s)
}

// appendOptional is appendString, with null for a value that is absent.
func appendOptional(b []byte, name, s string, present bool) []byte {
	if present {
		return appendString(b, name, s)
	}
	return append(append(b, name...), "null"...)
}

// encodePayload returns the JSON object that v encodes as, or why it does not.
func encodePayload(v any) (text, reason string, cause error) {
	data, isText := v.(json.RawMessage)
	if v == nil || isText && data == nil {
		return "{}", "", nil
	}
	if !isText {
		if data, cause = json.Marshal(v); cause != nil {
			return "", reasonNoJSON, cause
		}
	}
	text, err := checkJSON(data)
	switch {
	case err != nil:
		return "", err.Fields[0].Reason, err.Err
	case !isText && text == "null":
		return "{}", "", nil
	case !isText && rawjson.HasReplacement(text):
		return "", "has a string that is not valid UTF-8", nil
	}
	text, reason = objectMember(text)
	return text, reason, nil
}
