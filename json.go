package causal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spec-kitty/causal/internal/rawjson"
)

// Events keep their payload as JSON text, and everything reads JSON through
// package rawjson. Here its answers become errors of this package.

// maxDepth bounds how deeply a payload or an unknown member is nested, so that
// readers of events may recurse over them.
const maxDepth = 1000

// checkJSON returns the text of data without the space around it, or why it is
// not one valid JSON value in valid UTF-8.
func checkJSON(data []byte) (text string, err *ValidationError) {
	if !rawjson.Valid(data) {
		return "", errInvalidJSON(data)
	}
	if !utf8.Valid(data) {
		return "", invalid("", reasonNotUTF8)
	}
	return strings.TrimSpace(string(data)), nil // JSON allows only some of the space that this trims
}

// errInvalidJSON says what is wrong with data, in encoding/json's words.
func errInvalidJSON(data []byte) *ValidationError {
	var raw json.RawMessage
	cause := json.Unmarshal(data, &raw)
	reason := "is not valid JSON"
	var syntax *json.SyntaxError
	switch {
	case cause != nil && strings.Contains(cause.Error(), "max depth"): // of encoding/json, far above ours
		reason = reasonTooDeep
	case errors.As(cause, &syntax):
		reason = fmt.Sprintf("is not valid JSON, seen at byte %d", syntax.Offset)
	}
	return &ValidationError{Fields: []FieldError{{"", reason}}, Err: cause}
}
