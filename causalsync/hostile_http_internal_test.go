package causalsync

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A redirect would carry credentials and events elsewhere.
func TestHTTPFollowsNoRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was followed") }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		for _, client := range []*http.Client{nil, {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
			_, r := testStore(t, 3)
			_, err := r.Sync(t.Context(), HTTP(server.URL, &HTTPOptions{Client: client, Authorize: func(q *http.Request) error {
				q.Header.Set("X-Api-Key", "S3CRET")
				return nil
			}}), nil)
			var failure *HTTPError
			require.ErrorAs(t, err, &failure)
			require.Equal(t, status, failure.Status)
		}
		server.Close()
	}
}

// A body without end is not read to it, though it unpacks to nothing.
func TestHTTPReadsLittle(t *testing.T) {
	var nothing bytes.Buffer
	require.NoError(t, gzip.NewWriter(&nothing).Close())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for block := bytes.Repeat(nothing.Bytes(), 1000); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	_, r := testStore(t, 3)
	_, err := r.Sync(t.Context(), HTTP(server.URL, nil), nil)
	require.ErrorIs(t, err, ErrProtocol)
}

// Texts of a peer do not get into errors of its bodies.
func TestHTTPBodyTexts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\nabc\r\n0\r\nS3CRET\r\n\r\n")
		_ = c.Close()
	}()
	_, r := testStore(t, 3)
	_, err = r.Sync(t.Context(), HTTP("http://"+l.Addr().String(), nil), nil)
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "S3CRET"), err)
}
