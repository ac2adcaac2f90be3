package causal

import (
	"strings"
	"unicode/utf8"
)

// A Filter selects events, for copies of part of a log. The zero value selects
// all. It is a value, comparable with ==.
type Filter struct {
	// ProjectUUID selects the events of one project, by its UUID with hyphens.
	// Empty selects all.
	ProjectUUID string
	// AggregateID selects the events of one aggregate. Empty selects all.
	AggregateID string
	// MinTier selects the events whose DataTier is at least this, which may be
	// shared as widely. 0 selects all.
	MinTier int
}

// Validate returns a [*ValidationError] listing every invalid field, or nil.
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

// Matches reports whether f selects e. It is false for the zero Event.
func (f Filter) Matches(e Event) bool {
	return e.p != nil && (f.ProjectUUID == "" || strings.EqualFold(f.ProjectUUID, e.p.ProjectUUID)) &&
		(f.AggregateID == "" || f.AggregateID == e.p.AggregateID) && e.p.DataTier >= f.MinTier
}
