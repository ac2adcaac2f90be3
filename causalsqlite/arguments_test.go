package causalsqlite_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalsqlite"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

func TestOpenArguments(t *testing.T) {
	for _, test := range []struct {
		name, path    string
		o             causalsqlite.Options
		field, reason string
	}{
		{name: "no path", field: "path", reason: "must not be empty"},
		{name: "memory", path: ":memory:", field: "path", reason: "must name a file"},
		{name: "error limit", path: "x", o: causalsqlite.Options{ErrorLimit: -1}, field: "error_limit", reason: "must not be negative"},
		{name: "negative readers", path: "x", o: causalsqlite.Options{Readers: -1}, field: "readers", reason: "must not be negative"},
		{name: "many readers", path: "x", o: causalsqlite.Options{Readers: 1001}, field: "readers", reason: "must be at most 1000"},
		{name: "synchronous", path: "x", o: causalsqlite.Options{Synchronous: 7}, field: "synchronous", reason: "must be SyncFull or SyncNormal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := causalsqlite.Open(t.Context(), test.path, &test.o)
			adaptertest.RequireField(t, err, test.field, test.reason)
		})
	}
}

func TestOpenContexts(t *testing.T) {
	cause := errors.New("shutting down")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	path := testPath(t)
	_, err := causalsqlite.Open(ended, path, nil)
	require.ErrorIs(t, err, cause)
	_, err = causalsqlite.Open(nil, path, nil) //nolint:staticcheck // the nil context is tested
	adaptertest.RequireField(t, err, "ctx", "must not be nil")
	require.NoFileExists(t, path)
}
