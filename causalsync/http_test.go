package causalsync_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
)

func allowAll(*http.Request) (string, causal.Filter, error) { return "somebody", causal.Filter{}, nil }

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestHTTP(t *testing.T) {
	for _, plain := range []bool{false, true} {
		a, b := memStore(t, newEvents(t, 0, 3000)), memStore(t, newEvents(t, 500, 4000))
		hub := newReplica(t, b, nil)
		var bodies atomic.Int64
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			bodies.Add(q.ContentLength)
			require.Equal(t, "a token", q.Header.Get("Authorization"))
			causalsync.Handler(hub, allowAll).ServeHTTP(w, q)
		}))
		report := sync(t, newReplica(t, a, nil), causalsync.HTTP(url, &causalsync.HTTPOptions{
			NoCompression: plain, Authorize: func(q *http.Request) error { q.Header.Set("Authorization", "a token"); return nil },
		}), nil)
		require.Equal(t, 1000, report.Received)
		require.Equal(t, 500, report.Sent)
		requireEqual(t, a, b)
		if plain {
			require.Equal(t, report.BytesOut, bodies.Load())
		} else {
			require.Less(t, bodies.Load(), report.BytesOut/2)
		}
	}
}

func TestHandlerStatus(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(make([]byte, 8<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Less(t, zipped.Len(), 64<<10)
	octets := map[string]string{"Content-Type": "application/octet-stream"}
	inGzip := map[string]string{"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}
	store := memStore(t, newEvents(t, 0, 10))
	hub := newReplica(t, store, &causalsync.Options{MaxMessage: 64 << 10})
	for name, test := range map[string]struct {
		method, body string
		header       map[string]string
		allow        func(*http.Request) (string, causal.Filter, error)
		status       int
		answer       map[string]string
	}{
		"get":              {method: "GET", status: 405, answer: map[string]string{"Allow": "POST"}},
		"nobody may":       {header: octets, status: 403},
		"refused":          {header: octets, status: 403, allow: func(*http.Request) (string, causal.Filter, error) { return "", causal.Filter{}, errors.New("no") }},
		"an invalid grant": {header: octets, body: "csy1", status: 500, allow: func(*http.Request) (string, causal.Filter, error) { return "", causal.Filter{MinTier: 9}, nil }},
		"no type":          {body: "csy1", status: 415, allow: allowAll},
		"text":             {body: "csy1", header: map[string]string{"Content-Type": "text/plain"}, status: 415, allow: allowAll},
		"an encoding": {
			body: "csy1", header: map[string]string{"Content-Type": "application/octet-stream", "Content-Encoding": "br"}, status: 415, allow: allowAll,
			answer: map[string]string{"Accept-Encoding": "gzip"},
		},
		"no message":      {body: "csy1", header: octets, status: 400, allow: allowAll},
		"no gzip":         {body: "csy1", header: inGzip, status: 400, allow: allowAll},
		"too large":       {body: strings.Repeat("x", 64<<10+1), header: octets, status: 413, allow: allowAll},
		"a gzip bomb":     {body: zipped.String(), header: inGzip, status: 413, allow: allowAll},
		"another version": {body: "csy9 and so on", header: octets, status: 200, allow: allowAll},
	} {
		t.Run(name, func(t *testing.T) {
			if test.method == "" {
				test.method = "POST"
			}
			q := httptest.NewRequestWithContext(t.Context(), test.method, "/", strings.NewReader(test.body))
			for k, v := range test.header {
				q.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			causalsync.Handler(hub, test.allow).ServeHTTP(w, q)
			require.Equal(t, test.status, w.Code)
			for k, v := range test.answer {
				require.Equal(t, v, w.Header().Get(k))
			}
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
	t.Run("a body that has no length and does not end", func(t *testing.T) {
		endless := endlessBody{}
		q := httptest.NewRequestWithContext(t.Context(), "POST", "/", io.NopCloser(&endless))
		q.Header.Set("Content-Type", "application/octet-stream")
		w := httptest.NewRecorder()
		causalsync.Handler(hub, allowAll).ServeHTTP(w, q)
		require.Equal(t, 413, w.Code)
		require.Less(t, endless.read, 1<<20)
	})
	t.Run("a store that fails", func(t *testing.T) {
		failing := newReplica(t, failingStore{store}, nil)
		url := serve(t, causalsync.Handler(failing, allowAll))
		_, err := newReplica(t, memStore(t, newEvents(t, 0, 3)), nil).Sync(t.Context(), causalsync.HTTP(url, nil), nil)
		var status *causalsync.HTTPError
		require.ErrorAs(t, err, &status)
		require.Equal(t, 503, status.Status)
	})
}

type endlessBody struct{ read int }

func (b *endlessBody) Read(p []byte) (int, error) { b.read += len(p); return len(p), nil }

type failingStore struct{ *causal.MemStore }

func (failingStore) Head(context.Context) (causal.Cursor, error) {
	return causal.Cursor{}, &causal.StorageError{Op: "read head", Err: errors.New("the disk is gone")}
}

// If the other side is not a Handler, or unreachable, the error contains no
// secret of the URL.
func TestHTTPFaults(t *testing.T) {
	r := newReplica(t, memStore(t), nil)
	syncWith := func(ctx context.Context, url string, o *causalsync.HTTPOptions) error {
		_, err := r.Sync(ctx, causalsync.HTTP(url, o), nil)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
		return err
	}
	ctx := t.Context()
	page := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Log in") }))
	require.ErrorIs(t, syncWith(ctx, page+"?secret", nil), causalsync.ErrProtocol)
	large := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 4<<20)) }))
	require.ErrorIs(t, syncWith(ctx, large, nil), causalsync.ErrProtocol)
	var status *causalsync.HTTPError
	require.ErrorAs(t, syncWith(ctx, serve(t, http.NotFoundHandler()), nil), &status)
	require.Equal(t, "causalsync: the peer answers with HTTP status 404", status.Error())
	syncWith(ctx, "http://127.0.0.1:1/secret", nil)
	for _, url := range []string{"secret://\x7f", "http://hub:secret/sync", "", "secret", "ftp://secret/x", "http:///secret", "127.0.0.1:80/secret"} {
		require.ErrorIs(t, syncWith(ctx, url, nil), causal.ErrValidation, url)
	}
	redirect := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://hub:s/secret")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	syncWith(ctx, redirect, nil)
	mine := errors.New("no token")
	require.ErrorIs(t, syncWith(ctx, page, &causalsync.HTTPOptions{Authorize: func(*http.Request) error { return mine }}), mine)
	limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	silent := make(chan struct{})
	slow := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(func() { close(silent) })
	require.ErrorIs(t, syncWith(limited, slow, nil), context.DeadlineExceeded)
}

// Run syncs immediately, after saves, after the interval, and after errors,
// until it is stopped.
func TestRun(t *testing.T) {
	a, b := memStore(t, newEvents(t, 0, 10)), memStore(t, newEvents(t, 10, 20))
	ra, rb := newReplica(t, a, nil), newReplica(t, b, nil)
	var isDown atomic.Bool
	isDown.Store(true)
	down := errors.New("down")
	exchange := func(ctx context.Context, request []byte) ([]byte, error) {
		if isDown.Load() {
			return nil, down
		}
		return rb.Answer(ctx, "a", causal.Filter{}, request)
	}
	type result struct {
		report causalsync.Report
		err    error
	}
	results := make(chan result, 1000)
	next := func(what string, isIt func(result) bool) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for {
			select {
			case r := <-results:
				if isIt(r) {
					return
				}
			case <-limit:
				require.FailNow(t, "no Sync: "+what)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- ra.Run(ctx, exchange, &causalsync.RunOptions{
			Interval: 200 * time.Millisecond, OnSync: func(r causalsync.Report, err error) { results <- result{r, err} },
		})
	}()
	next("an error", func(r result) bool { return errors.Is(r.err, down) })
	isDown.Store(false)
	next("after errors", func(r result) bool { return r.err == nil && r.report.Received == 10 && r.report.Sent == 10 })
	require.NoError(t, a.SaveEvent(ctx, newEvent(t, 30)))
	next("after a save", func(r result) bool { return r.report.Sent == 1 })
	require.NoError(t, b.SaveEvent(ctx, newEvent(t, 31)))
	next("after the interval", func(r result) bool { return r.report.Received == 1 })
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	requireEqual(t, a, b)
}

// Run ends after errors for which retrying is useless.
func TestRunEnds(t *testing.T) {
	ctx := t.Context()
	r := newReplica(t, memStore(t), nil)
	quiet := func(causalsync.Report, error) {}
	require.ErrorContains(t, r.Run(ctx, direct(r), nil), "on_sync must not be nil")
	require.ErrorContains(t, r.Run(ctx, direct(r), &causalsync.RunOptions{}), "on_sync must not be nil")
	require.ErrorContains(t, r.Run(ctx, direct(r), &causalsync.RunOptions{OnSync: quiet, Interval: -1}), "interval must not be negative")
	require.ErrorIs(t, r.Run(ctx, nil, &causalsync.RunOptions{OnSync: quiet}), causal.ErrValidation)
	refusing := func(ctx context.Context, request []byte) ([]byte, error) {
		return r.Answer(ctx, "", causal.Filter{ProjectUUID: project}, request)
	}
	other := causalsync.SyncOptions{Filter: causal.Filter{ProjectUUID: "aaaaaaaa-1234-5678-1234-567812345678"}}
	require.ErrorIs(t, r.Run(ctx, refusing, &causalsync.RunOptions{OnSync: quiet, SyncOptions: other}), causalsync.ErrRefused)
	closed := newReplica(t, closedStore{memStore(t)}, nil)
	require.ErrorIs(t, closed.Run(ctx, direct(r), &causalsync.RunOptions{OnSync: quiet}), causal.ErrClosed)
	require.ErrorIs(t, r.Run(ctx, direct(r), &causalsync.RunOptions{OnSync: quiet, SyncOptions: causalsync.SyncOptions{MaxEvents: -1}}), causal.ErrValidation)
}

// Run ends when the node is closed, even while it waits, and while the peer is
// unreachable. A similar error of the caller does not end it.
func TestRunEndsWithItsNode(t *testing.T) {
	for _, isUp := range []bool{true, false} {
		store := memStore(t)
		node, err := causal.OpenNode(t.Context(), "alice", store, causal.NodeOptions{ProjectUUID: project})
		require.NoError(t, err)
		r := newReplica(t, store, &causalsync.Options{Node: node})
		synced := make(chan struct{}, 100)
		ended := make(chan error, 1)
		exchange := direct(newReplica(t, memStore(t), nil))
		if !isUp {
			exchange = func(context.Context, []byte) ([]byte, error) { return nil, causal.ErrClosed }
		}
		go func() {
			ended <- r.Run(t.Context(), exchange, &causalsync.RunOptions{OnSync: func(causalsync.Report, error) { synced <- struct{}{} }})
		}()
		<-synced
		if !isUp {
			<-synced // it has continued after ErrClosed of the exchange
		}
		require.NoError(t, node.Close())
		select {
		case err := <-ended:
			require.ErrorIs(t, err, causal.ErrClosed)
		case <-time.After(20 * time.Second):
			require.FailNow(t, "Run does not end")
		}
	}
}

type closedStore struct{ *causal.MemStore }

func (closedStore) Head(context.Context) (causal.Cursor, error) {
	return causal.Cursor{}, &causal.StorageError{Op: "read head", Err: causal.ErrClosed}
}

// An answer is compressed if the sender accepts gzip.
func TestHandlerEncoding(t *testing.T) {
	hub := newReplica(t, memStore(t, newEvents(t, 0, 100)), nil)
	var request []byte
	_, _ = newReplica(t, memStore(t), nil).Sync(t.Context(), func(ctx context.Context, q []byte) ([]byte, error) {
		request = q // the last one, which is answered by all events
		return hub.Answer(ctx, "", causal.Filter{}, q)
	}, nil)
	for accept, want := range map[string]string{
		"gzip": "gzip", "GZIP": "gzip", "br, gzip;q=0.5": "gzip", "gzip; q=1": "gzip", "": "", "identity": "", "gzip;q=0": "", "gzip; q=0.000": "", "x-gzip-not": "",
	} {
		q := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(request))
		q.Header.Set("Content-Type", "application/octet-stream")
		q.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		causalsync.Handler(hub, allowAll).ServeHTTP(w, q)
		require.Equal(t, 200, w.Code)
		require.Equal(t, want, w.Header().Get("Content-Encoding"), accept)
	}
}
