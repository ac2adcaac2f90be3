package benchmarks

import (
	"testing"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

// BenchmarkID generates IDs as text, the form needed for JSON and for keys of
// storages.
func BenchmarkID(b *testing.B) {
	makers := []struct {
		name string
		make func() string
	}{
		{name: "causal", make: func() string { return string(causal.NewEventID()) }},
		{name: "ulid", make: func() string { return ulid.Make().String() }},
		{name: "uuid", make: func() string { return uuid.Must(uuid.NewV7()).String() }},
	}
	for _, m := range makers {
		b.Run("op=make/lib="+m.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.make()
			}
		})
	}
	for _, m := range makers {
		b.Run("op=make-parallel/lib="+m.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m.make()
				}
			})
		})
	}
}

// What ulid leaves out, according to the tables: its IDs go back with the wall
// clock.
func TestULIDGoesBackwards(t *testing.T) {
	now := ulid.Now()
	first := ulid.MustNew(now, ulid.DefaultEntropy())
	second := ulid.MustNew(now-1, ulid.DefaultEntropy()) // as Make does when the wall clock steps back
	require.Negative(t, second.Compare(first))
}
