package causal

import (
	"strings"
	"unicode/utf8"
)

// Filter selects events by what they say, for copies that hold a part of a log. The zero value selects
// all. It is a value, and can be compared with ==.
type Filter struct {
	// ProjectUUID selects the events of a project, by its UUID with hyphens. Empty means of all.
	ProjectUUID string
	// AggregateID selects the events of an aggregate. Empty means of all.
	AggregateID string
	// MinTier selects the events whose DataTier is this or more, so those that may be shared as
	// widely. 0 means all.
	MinTier int
}

// Validate returns a [*ValidationError] that names the fields at fault, nil if there are none.
func (f Filter) Validate() error {
	err := &ValidationError{}
	add := func(field, reason string) { err.Fields = append(err.Fields, FieldError{field, reason}) }
	if f.ProjectUUID != "" && !isHyphenatedUUID(f.ProjectUUID) {
		add("project_uuid", reasonUUID)
	}
	if !utf8.ValidString(f.AggregateID) {
		add("aggregate_id", reasonNotUTF8)
	}
	if f.MinTier < 0 || f.MinTier > 4 {
		add("min_tier", "must be 0 to 4")
	}
	if len(err.Fields) == 0 {
		return nil
	}
	return err
}

// Matches reports whether the filter selects an event. The zero Event is none.
func (f Filter) Matches(e Event) bool {
	return e.p != nil && (f.ProjectUUID == "" || strings.EqualFold(f.ProjectUUID, e.p.ProjectUUID)) &&
		(f.AggregateID == "" || f.AggregateID == e.p.AggregateID) && e.p.DataTier >= f.MinTier
}
