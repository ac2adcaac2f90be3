package causalpg_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalpg"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

func TestOpenContexts(t *testing.T) {
	cause := errors.New("shutting down")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for name, open := range map[string]func(context.Context) error{
		"Migrate": func(ctx context.Context) error { return causalpg.Migrate(ctx, testDSN, nil) },
		"Open":    func(ctx context.Context) error { return second(causalpg.Open(ctx, testDSN, nil)) },
		"New":     func(ctx context.Context) error { return second(causalpg.New(ctx, nil, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, open(ended), cause)
			adaptertest.RequireField(t, open(nil), "ctx", "must not be nil")
		})
	}
}

func TestOpenArguments(t *testing.T) {
	ctx := t.Context()
	for _, test := range []struct {
		name          string
		err           error
		field, reason string
	}{
		{name: "no pool", err: second(causalpg.New(ctx, nil, nil)), field: "pool", reason: "must not be nil"},
		{name: "bad URL", err: second(causalpg.Open(ctx, "postgres://user:secret@[", nil)), field: "dsn", reason: "must be a PostgreSQL connection string"},
		{name: "bad list", err: causalpg.Migrate(ctx, "port=secret", nil), field: "dsn", reason: "must be a PostgreSQL connection string"},
	} {
		t.Run(test.name, func(t *testing.T) { adaptertest.RequireField(t, test.err, test.field, test.reason) })
	}
}

func TestOptions(t *testing.T) {
	ctx := t.Context()
	pool := newPool(t, testDSN, func(*pgxpool.Config) {})
	for _, test := range []struct {
		o             causalpg.Options
		field, reason string
	}{
		{o: causalpg.Options{Schema: "a\x00b"}, field: "schema", reason: "must not contain NUL"},
		{o: causalpg.Options{Schema: "\xff"}, field: "schema", reason: "must be valid UTF-8"},
		{o: causalpg.Options{Schema: strings.Repeat("é", 32)}, field: "schema", reason: "must have at most 63 bytes"},
		{o: causalpg.Options{Schema: "pg_catalog"}, field: "schema", reason: "must not be one of the server's own"},
		{o: causalpg.Options{Schema: "$user"}, field: "schema", reason: "must not be one of the server's own"},
		{o: causalpg.Options{Schema: "information_schema"}, field: "schema", reason: "must not be one of the server's own"},
		{o: causalpg.Options{ErrorLimit: -1}, field: "error_limit", reason: "must not be negative"},
	} {
		adaptertest.RequireField(t, causalpg.Migrate(ctx, testDSN, &test.o), test.field, test.reason)
		adaptertest.RequireField(t, second(causalpg.Open(ctx, testDSN, &test.o)), test.field, test.reason)
		adaptertest.RequireField(t, second(causalpg.New(ctx, pool, &test.o)), test.field, test.reason)
	}
}
