package causalpg_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
)

// The tests and the Examples need a server. TestMain starts one from the
// binaries it finds (PGBIN, PATH, Debian's directories), unless
// CAUSAL_TEST_POSTGRES is the connection string of a server with a role that
// may create schemas. Without either nothing runs: TestMain says so and
// succeeds, or fails if CAUSAL_TEST_REQUIRE is set, as it is where skipped
// tests are forbidden.
const (
	envDSN     = "CAUSAL_TEST_POSTGRES"
	envRequire = "CAUSAL_TEST_REQUIRE"
)

var testDSN string // of the server for all tests

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if testDSN = os.Getenv(envDSN); testDSN != "" {
		return m.Run()
	}
	flag.Parse()
	var settings []string
	if flag.Lookup("test.bench").Value.String() == "" {
		settings = append(settings, "fsync=off") // no test simulates a loss of power
	}
	s, err := newServer(settings...)
	if err == nil {
		defer s.remove()
		err = s.start()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nALL TESTS OF causalpg ARE SKIPPED: there is no PostgreSQL server: %v\n"+
			"Install PostgreSQL, or set PGBIN or %s.\n\n", err, envDSN)
		if os.Getenv(envRequire) != "" {
			return 1
		}
		return 0
	}
	testDSN = s.dsn()
	_ = os.Setenv(envDSN, testDSN) // for the Examples
	code := m.Run()
	s.stop(context.Background())
	return code
}
