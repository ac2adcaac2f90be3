package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Colors and width are those of the terminal, unless set otherwise; without one
// there are no colors, and 80 columns.
func TestTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		isTerminal bool
		variable   string // to be set
		color      string
		width      int
		wantColor  string
		wantWidth  int
	}{
		"a terminal":        {isTerminal: true, color: "auto", wantColor: "always", wantWidth: 50},
		"a file":            {color: "auto", wantColor: "never", wantWidth: 80},
		"NO_COLOR":          {isTerminal: true, variable: "NO_COLOR", color: "auto", wantColor: "never", wantWidth: 50},
		"a dumb terminal":   {isTerminal: true, variable: "TERM", color: "auto", wantColor: "never", wantWidth: 50},
		"never":             {isTerminal: true, color: "never", wantColor: "never", wantWidth: 50},
		"always, in a file": {variable: "NO_COLOR", color: "always", wantColor: "always", wantWidth: 80},
		"a width":           {isTerminal: true, color: "auto", width: 120, wantColor: "always", wantWidth: 120},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			a := &app{system: &system{Stdout: &stdout, Stderr: &stderr}}
			a.Getenv = func(name string) string {
				if name == test.variable {
					return "dumb"
				}
				return ""
			}
			a.Terminal = func(stream any) (int, bool) { return 50, test.isTerminal && stream == &stdout }
			a.Color, a.Width = test.color, test.width
			a.setUp()
			require.Equal(t, test.wantColor, a.Color)
			require.Equal(t, test.wantWidth, a.Width)
		})
	}
}

// On a terminal nobody waits for input by mistake, and slow reading is shown
// and the text removed.
func TestProgress(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{system: &system{Stdin: strings.NewReader(""), Stderr: &stderr, Terminal: func(any) (int, bool) { return 80, true }}}
	_, err := a.read(t.Context(), &inputs{})
	require.ErrorContains(t, err, "name a file")

	p := a.newProgress()
	p.bytes(1<<20, 4<<20)
	p.end()
	require.Empty(t, stderr.String(), "it has not taken long")
	p.start = p.start.Add(-time.Second)
	p.bytes(1<<20, 4<<20)
	require.Equal(t, "\r\x1b[K2 of 4 MB read", stderr.String())
	p.end()
	require.True(t, strings.HasSuffix(stderr.String(), "\r\x1b[K"))
	a.Terminal = func(any) (int, bool) { return 0, false }
	require.Nil(t, a.newProgress())
}

// An interrupted output leaves no file, and the old one as it was.
func TestInterruptedOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	var a app
	err := a.output(ctx, path, nil, func(out io.Writer) error {
		_, err := fmt.Fprint(out, "new")
		require.NoError(t, err)
		cancel()
		_, err = fmt.Fprint(out, "er")
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(content))
}
