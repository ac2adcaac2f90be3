package causalsync

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
)

// contentType is the content type of messages.
const contentType = "application/octet-stream"

// compressFrom is the minimum size of a message worth compressing, in bytes.
const compressFrom = 512

// Handler answers the requests of [HTTP]. It calls allow first, before reading
// anything. allow authenticates the sender, and returns its name and the events
// it may see and write, as for [Replica.Answer]. If allow returns an error, or
// is nil, the request is refused with status 403.
//
// Handler answers a POST request with a message, compressed with gzip if the
// sender accepts it. Otherwise it responds with 400 if the request is not a
// message, 405, 413, 415 for another content type or encoding, 503 while the
// store fails, or 500 if the result of allow is invalid. It reads at most
// [Options.MaxMessage] bytes; use the [http.Server] to limit the time for it.
func Handler(r *Replica, allow func(*http.Request) (peer string, allowed causal.Filter, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if q.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if allow == nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		peer, allowed, err := allow(q)
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		request, status := readRequest(w, q, r.options.MaxMessage)
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		answer, err := r.Answer(q.Context(), peer, allowed, request)
		if err != nil {
			w.WriteHeader(statusOf(err, w.Header()))
			return
		}
		writeAnswer(w, q, answer)
	})
}

// statusOf returns the status for an error of Answer.
func statusOf(err error, h http.Header) int {
	switch {
	case errors.Is(err, ErrProtocol):
		return http.StatusBadRequest
	case errors.Is(err, causal.ErrValidation):
		return http.StatusInternalServerError
	}
	h.Set("Retry-After", "5")
	return http.StatusServiceUnavailable
}

// readRequest returns the message, or the status for an unreadable request.
func readRequest(w http.ResponseWriter, q *http.Request, limit int) (message []byte, status int) {
	if media, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || media != contentType {
		return nil, http.StatusUnsupportedMediaType
	}
	if q.ContentLength > zipped(limit) {
		return nil, http.StatusRequestEntityTooLarge
	}
	message, err := readBody(http.MaxBytesReader(w, q.Body, zipped(limit)), q.Header.Get("Content-Encoding"), limit)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return message, 0
	case errors.Is(err, errEncoding):
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, http.StatusUnsupportedMediaType
	case errors.Is(err, errBody), errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge
	}
	return nil, http.StatusBadRequest
}

var (
	errEncoding = errors.New("the encoding is unknown")
	errBody     = errors.New("the body is too large")
)

// zipped returns the maximum size of a message of limit bytes in a body: gzip
// enlarges incompressible data a little.
func zipped(limit int) int64 { return int64(limit + limit/64 + 1024) }

// readBody reads a message of at most limit bytes.
func readBody(body io.Reader, encoding string, limit int) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		unzip, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzip
	default:
		return nil, errEncoding
	}
	message, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err == nil && len(message) > limit {
		err = errBody
	}
	return message, err
}

func writeAnswer(w http.ResponseWriter, q *http.Request, answer []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Vary", "Accept-Encoding")
	if len(answer) >= compressFrom && takesGzip(q.Header) {
		h.Set("Content-Encoding", "gzip")
		answer = zip(answer)
	}
	h.Set("Content-Length", fmt.Sprint(len(answer)))
	_, _ = w.Write(answer) // if it is lost, the peer asks again
}

// takesGzip reports whether the sender accepts gzip (RFC 9110, section 12.5.3).
func takesGzip(h http.Header) bool {
	for _, value := range h.Values("Accept-Encoding") {
		for element := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(element, ";")
			_, q, _ := strings.Cut(weight, "=")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				return strings.Trim(strings.TrimSpace(q), "0.") != "" || strings.TrimSpace(q) == ""
			}
		}
	}
	return false
}

func zip(message []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is valid
	_, _ = z.Write(message)                         // into memory
	_ = z.Close()
	return b.Bytes()
}

// answerTimeout is the maximum time for an answer. The first answer of a large
// store computes its keys.
const answerTimeout = 2 * time.Minute

// HTTPOptions are the options of [HTTP]. nil and the zero value mean the
// defaults.
type HTTPOptions struct {
	// Client sends the requests. Give it a Timeout, for peers that do not
	// answer. Its CheckRedirect is not used. nil means a client with a timeout
	// of two minutes.
	Client *http.Client
	// Authorize prepares each request, for example by adding a header with
	// credentials. Its error ends the Sync. nil adds nothing.
	Authorize func(*http.Request) error
	// NoCompression disables compression in both directions. This takes more
	// bytes, but less time between nearby peers.
	NoCompression bool
}

// HTTP returns an exchange with the [Handler] at a URL. The exchange returns an
// [*HTTPError] for a status other than 200, and a [*causal.ValidationError] if
// the URL is invalid. It follows no redirects, which would carry credentials
// and events elsewhere. It reads responses up to the size stated in the
// request. Error texts contain the address, but no other part of the URL. It is
// safe for concurrent use if the client and Authorize are.
func HTTP(url string, o *HTTPOptions) Exchange {
	if o == nil {
		o = &HTTPOptions{}
	}
	options, client := *o, http.Client{Timeout: answerTimeout}
	if options.Client != nil {
		client = *options.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, request []byte) ([]byte, error) {
		q, err := newHTTPRequest(ctx, url, request, &options)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(q)
		if err != nil {
			return nil, withoutURL(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return nil, &HTTPError{Status: response.StatusCode}
		}
		limit := answerLimit(request)
		answer, err := readBody(http.MaxBytesReader(nil, response.Body, zipped(limit)), response.Header.Get("Content-Encoding"), limit)
		var tooLarge *http.MaxBytesError
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(err, errEncoding):
			return nil, broken(errEncoding.Error())
		case errors.Is(err, errBody), errors.As(err, &tooLarge):
			return nil, broken(errBody.Error())
		}
		return nil, withoutURL(err)
	}
}

func newHTTPRequest(ctx context.Context, url string, request []byte, o *HTTPOptions) (*http.Request, error) {
	body, encoding := request, ""
	if !o.NoCompression && len(request) >= compressFrom {
		body, encoding = zip(request), "gzip"
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil || q.URL.Scheme != "http" && q.URL.Scheme != "https" || q.URL.Host == "" {
		return nil, causaladapter.Invalid("url", "must begin with http:// or https:// and a host")
	}
	q.Header.Set("Content-Type", contentType)
	if encoding != "" {
		q.Header.Set("Content-Encoding", encoding)
	}
	q.Header.Set("Accept-Encoding", "gzip")
	if o.NoCompression {
		q.Header.Set("Accept-Encoding", "identity")
	}
	if o.Authorize != nil {
		err = o.Authorize(q)
	}
	return q, err
}

// answerLimit returns the maximum size of the answer to a request: the size
// stated in it, plus what its events may add.
func answerLimit(request []byte) int {
	if len(request) < len(magic) {
		return 0
	}
	limit, _ := binary.Uvarint(request[len(magic):])
	return int(min(limit, maxMessage)) + refusalSize*(len(request)/minEvent)
}

// withoutURL returns an error of package http without the URL, which may
// contain secrets. Its text has only the text of packages net and context,
// which includes no part of the URL but the address.
func withoutURL(err error) error {
	if network, ok := errors.AsType[*net.OpError](err); ok && network != nil {
		return fmt.Errorf("causalsync: the request failed: %w", network)
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return fmt.Errorf("causalsync: the request failed: %w", known)
		}
	}
	return requestError{err}
}

// requestError is a failed request.
type requestError struct{ cause error }

func (requestError) Error() string   { return "causalsync: the request failed" }
func (e requestError) Unwrap() error { return e.cause }

// HTTPError is an HTTP response without a message. The zero value has no
// status.
type HTTPError struct {
	// Status is the status code, such as 503.
	Status int
}

// Error gives the status.
func (e *HTTPError) Error() string {
	if e == nil {
		return "causalsync: the peer answers with another HTTP status than 200"
	}
	return fmt.Sprintf("causalsync: the peer answers with HTTP status %d", e.Status)
}
