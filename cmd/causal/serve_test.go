package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
)

// runWith runs the command with an environment, and returns its exit code and
// output.
func runWith(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(t.Context(), args, &system{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Now: time.Now, Getenv: func(name string) string { return env[name] }, Terminal: terminal,
	})
	return code, out.String(), err.String()
}

// importDemo returns the path of a store with events of a team.
func importDemo(t *testing.T, o demo.Options) string {
	dir := t.TempDir()
	lines := filepath.Join(dir, "events.jsonl")
	require.NoError(t, os.WriteFile(lines, demo.Lines(demo.Events(o)), 0o600))
	store := filepath.Join(dir, "store.db")
	code, _, stderr := runWith(t, nil, "import", "--create", store, lines)
	require.Zero(t, code, stderr)
	return store
}

// serve runs causal serve until the test ends, and returns its URL.
func serve(t *testing.T, env map[string]string, args ...string) string {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), &system{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: out, Now: time.Now, Getenv: func(name string) string { return env[name] }, Terminal: terminal,
		})
		_ = out.Close()
	}()
	t.Cleanup(func() {
		cancel()
		require.Zero(t, <-ended)
	})
	var line string
	var name string
	_, err := fmt.Fscanf(in, "serving %s at %s\n", &name, &line)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, in) }()
	return line
}

// The stores of two machines have the same events after a sync, if the token is
// right.
func TestServe(t *testing.T) {
	a := importDemo(t, demo.Options{Events: 300, Seed: 1})
	b := importDemo(t, demo.Options{Events: 200, Seed: 2})
	env := map[string]string{"CAUSAL_TOKEN": "secret"}
	url := serve(t, env, a)
	code, _, stderr := runWith(t, map[string]string{"CAUSAL_TOKEN": "wrong"}, "sync", b, url)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "403")
	code, _, _ = runWith(t, nil, "sync", b, url)
	require.Equal(t, exitFailed, code)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	code, stdout, stderr := runWith(t, nil, "sync", "--token-file", token, b, url)
	require.Zero(t, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "300 received, 200 sent, 0 refused"), stdout)
	_, ofA, _ := runWith(t, nil, "export", a)
	_, ofB, _ := runWith(t, nil, "export", b)
	require.Equal(t, ofA, ofB)
}

// Without a token it answers programs on this machine, and no page in a
// browser.
func TestServeOnLoopback(t *testing.T) {
	url := serve(t, nil, importDemo(t, demo.Options{Events: 10, Seed: 1}))
	b := importDemo(t, demo.Options{Events: 10, Seed: 2})
	code, stdout, stderr := runWith(t, nil, "sync", b, url)
	require.Zero(t, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "10 received, 10 sent"), stdout)
	for name, change := range map[string]func(*http.Request){
		"a page":       func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1") },
		"another name": func(r *http.Request) { r.Host = "evil.example.com" },
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
		require.NoError(t, err)
		change(request)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusForbidden, answer.StatusCode, name)
	}
}

// A read-only server gives events, and accepts none.
func TestServeReadOnly(t *testing.T) {
	url := serve(t, nil, importDemo(t, demo.Options{Events: 10, Seed: 1}), "--read-only")
	b := importDemo(t, demo.Options{Events: 10, Seed: 2})
	code, stdout, stderr := runWith(t, nil, "sync", b, url)
	require.Equal(t, exitFindings, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "10 received, 0 sent, 10 refused"), stdout)
}

// A server that cannot be reached from elsewhere needs no token.
func TestIsLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "127.8.8.8:80": true, "[::1]:80": true, "localhost:80": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "192.168.1.1:80": false, "localhost.example.com:80": false, "127.0.0.1": false, "": false,
	} {
		require.Equal(t, want, isLoopback(address), address)
	}
}
