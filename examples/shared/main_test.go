package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The processes that run starts are this test.
func TestMain(m *testing.M) {
	if os.Getenv(dsnVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestOutput(t *testing.T) {
	dsn := os.Getenv("CAUSAL_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("CAUSAL_TEST_POSTGRES has no connection string of a PostgreSQL server")
	}
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, run(t.Context(), dsn, &got))
	require.Equal(t, string(want), got.String())
}
