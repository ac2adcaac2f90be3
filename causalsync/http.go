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

// contentType is that of messages.
const contentType = "application/octet-stream"

// compressFrom is how many bytes a message has that is worth compressing.
const compressFrom = 512

// Handler answers the requests of [HTTP]. allow is asked first, before anything is read: it authenticates the
// sender, and says who that is and what it may see and write, as for [Replica.Answer]. An error refuses the request
// with status 403; without allow all are refused.
//
// It answers POST with a message, in gzip if the sender takes it, and otherwise 400 for what is no message, 405,
// 413, 415 for another content type or encoding, 503 while the store fails, or 500 if what allow says is not
// valid. It reads no more than [Options.MaxMessage]; how long that may take is for the [http.Server] to limit.
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

// readRequest returns the message, or the status for what cannot be read.
func readRequest(w http.ResponseWriter, q *http.Request, limit int) (message []byte, status int) {
	if media, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || media != contentType {
		return nil, http.StatusUnsupportedMediaType
	}
	if q.ContentLength > int64(limit+limit/64+1024) {
		return nil, http.StatusRequestEntityTooLarge
	}
	// In gzip, what cannot be compressed is a little larger.
	message, err := readBody(http.MaxBytesReader(w, q.Body, int64(limit+limit/64+1024)), q.Header.Get("Content-Encoding"), limit)
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
	errEncoding = errors.New("the encoding is not known")
	errBody     = errors.New("the body is too large")
)

// readBody reads a message of limit bytes at most.
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
	_, _ = w.Write(answer) // if it does not arrive, the peer asks again
}

// takesGzip reports whether the sender takes an answer in gzip (RFC 9110, section 12.5.3).
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
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // of a valid level
	_, _ = z.Write(message)                         // to memory
	_ = z.Close()
	return b.Bytes()
}

// answerTimeout is how long an answer may take: the first one of a large store makes its keys.
const answerTimeout = 2 * time.Minute

// HTTPOptions are the options of [HTTP]. nil and the zero value mean the defaults.
type HTTPOptions struct {
	// Client sends the requests. Give it a Timeout, for peers that do not answer. nil means one that waits for an
	// answer for two minutes.
	Client *http.Client
	// Authorize prepares each request, such as by a header that tells who sends it. Its error ends the Sync. nil
	// adds nothing.
	Authorize func(*http.Request) error
	// NoCompression sends and asks for messages as they are: more bytes, and less time where both sides are near.
	NoCompression bool
}

// HTTP returns the exchange with the [Handler] at a URL. A status other than 200 is an [*HTTPError], and a URL
// that cannot be used a [*causal.ValidationError], when it is. Bodies are read up to the size that the request
// has asked for. Texts of errors contain the address, and no other part of the URL. It is safe for concurrent
// use if the client and Authorize are.
func HTTP(url string, o *HTTPOptions) Exchange {
	if o == nil {
		o = &HTTPOptions{}
	}
	options := *o
	if options.Client == nil {
		options.Client = &http.Client{Timeout: answerTimeout}
	}
	return func(ctx context.Context, request []byte) ([]byte, error) {
		q, err := newHTTPRequest(ctx, url, request, &options)
		if err != nil {
			return nil, err
		}
		response, err := options.Client.Do(q)
		if err != nil {
			return nil, withoutURL(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection can be used again
			return nil, &HTTPError{Status: response.StatusCode}
		}
		answer, err := readBody(response.Body, response.Header.Get("Content-Encoding"), answerLimit(request))
		if errors.Is(err, errBody) || errors.Is(err, errEncoding) {
			err = broken(err.Error())
		}
		return answer, err
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

// answerLimit returns how large the answer to a request may be: as it says, and what its events may add.
func answerLimit(request []byte) int {
	if len(request) < len(magic) {
		return 0
	}
	limit, _ := binary.Uvarint(request[len(magic):])
	return int(min(limit, maxMessage)) + refusalSize*(len(request)/minEvent)
}

// withoutURL returns an error of package http without the URL, which may have secrets: its text only says what
// packages net and context say, which is no part of it but the address.
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

// HTTPError is the status of an HTTP answer that is no message. The zero value says nothing.
type HTTPError struct {
	// Status is the status code, such as 503.
	Status int
}

// Error names the status.
func (e *HTTPError) Error() string {
	if e == nil {
		return "causalsync: the peer answers with another HTTP status than 200"
	}
	return fmt.Sprintf("causalsync: the peer answers with HTTP status %d", e.Status)
}
