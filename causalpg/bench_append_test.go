package causalpg_test

import (
	"testing"

	"github.com/spec-kitty/causal/internal/adapter"
	"github.com/spec-kitty/causal/internal/adaptertest"
)

func BenchmarkSaveIf(b *testing.B) {
	adaptertest.BenchmarkSaveIf(b, func(b *testing.B) adapter.Store { return openNew(b) })
}
