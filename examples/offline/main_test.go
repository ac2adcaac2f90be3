package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The processes that run starts are this test.
func TestMain(m *testing.M) {
	if os.Getenv(fileVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, run(t.Context(), &got))
	require.Equal(t, string(want), got.String())
}
