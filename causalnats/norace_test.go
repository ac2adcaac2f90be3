//go:build !race

package causalnats_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
)

const hasRace = false

// The suite on three servers, shorter, as each write costs two trips more, and not with the race detector: a single
// server is enough for that.
func TestConformanceOfThree(t *testing.T) {
	short := flag.Lookup("test.short").Value
	was := short.String()
	require.NoError(t, short.Set("true"))
	t.Cleanup(func() { require.NoError(t, short.Set(was)) })
	runSuite(t, startProcesses(t, 3, true).urls(), causalnats.Options{})
}
