package causalsync_test

import (
	"testing"

	"github.com/spec-kitty/causal/internal/doctest"
)

func TestExamples(t *testing.T) {
	doctest.RequireExamples(t, "github.com/spec-kitty/causal/causalsync")
}
