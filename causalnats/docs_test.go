package causalnats_test

import (
	"testing"

	"github.com/spec-kitty/causal/internal/doctest"
)

func TestExamples(t *testing.T) {
	const path = "github.com/spec-kitty/causal/causalnats"
	doctest.RequireExamples(t, path)
	doctest.RequireComplete(t, path)
}
