package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalsync"
	"github.com/spec-kitty/causal/cmd/causal/internal/input"
)

// tokenFlags are sources of a token.
type tokenFlags struct {
	TokenFile string `help:"File with the token required by the server; defaults to CAUSAL_TOKEN." placeholder:"FILE" type:"existingfile"`
}

func (f *tokenFlags) token(a *app) (string, error) {
	token := strings.TrimSpace(a.Getenv("CAUSAL_TOKEN"))
	if f.TokenFile != "" {
		data, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return "", err
		}
		if token = strings.TrimSpace(string(data)); token == "" {
			return "", errors.New("the token file is empty")
		}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", errors.New("the token has spaces or characters that are not printable ASCII, which no header can carry")
	}
	return token, nil
}

type syncCommand struct {
	tokenFlags `embed:""`
	Store      string `arg:"" help:"A store in a file, or a postgres:// address."`
	Peer       string `arg:"" help:"Another store, or the http:// or https:// address of causal serve."`
	Schema     string `help:"Schema of databases." default:"causal"`
	Create     bool   `help:"Create the file of the first store if it does not exist."`
	Project    string `help:"Only the events of this project." placeholder:"UUID"`
	Aggregate  string `short:"a" help:"Only the events of this aggregate." placeholder:"ID"`
	JSON       bool   `name:"json" help:"Write JSON, one object on each line."`
}

// syncObject is the output of sync.
type syncObject struct {
	Kind     string `json:"kind"` // "sync"
	Received int    `json:"received"`
	Sent     int    `json:"sent"`
	Refused  int    `json:"refused"`
	Trips    int    `json:"trips"`
	BytesIn  int64  `json:"bytes_in"`
	BytesOut int64  `json:"bytes_out"`
}

// Run is called by kong.
func (c *syncCommand) Run(ctx context.Context, a *app) error {
	scheme, _, _ := strings.Cut(strings.ToLower(c.Peer), "://")
	isURL := scheme == "http" || scheme == "https"
	var exchange causalsync.Exchange
	if isURL {
		token, err := c.token(a)
		if err != nil {
			return err
		}
		exchange = causalsync.HTTP(c.Peer, &causalsync.HTTPOptions{Authorize: func(r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}})
	} else {
		other, err := input.Open(ctx, c.Peer, c.Schema)
		if err != nil {
			return err
		}
		defer func() { _ = other.Close() }()
		peer, err := causalsync.New(other, nil)
		if err != nil {
			return err
		}
		exchange = func(ctx context.Context, request []byte) ([]byte, error) {
			return peer.Answer(ctx, c.Store, causal.Filter{}, request)
		}
	}
	store, closeStore, err := openStore(ctx, c.Store, c.Schema, c.Create)
	if err != nil {
		return err
	}
	replica, err := causalsync.New(store, nil)
	var report causalsync.Report
	if err == nil {
		report, err = replica.Sync(ctx, exchange, &causalsync.SyncOptions{Peer: c.Peer, Filter: causal.Filter{ProjectUUID: c.Project, AggregateID: c.Aggregate}})
	}
	if closeErr := closeStore(); err == nil {
		err = closeErr
	}
	var status *causalsync.HTTPError
	if errors.As(err, &status) && status.Status == http.StatusForbidden {
		err = fmt.Errorf("%w: the server asks for another token", err)
	}
	return c.write(a, report, err)
}

// write writes the outcome, even if the sync is incomplete.
func (c *syncCommand) write(a *app, report causalsync.Report, failure error) error {
	for _, r := range report.Refused {
		where := "here"
		if r.ByPeer {
			where = "by the other side"
		}
		a.note("event %s was refused %s: %v", r.EventID, where, r.Err)
	}
	if failure != nil && report.Received+report.Sent == 0 {
		return failure
	}
	var err error
	if c.JSON {
		out := newJSONWriter(a.Stdout)
		out.write(syncObject{"sync", report.Received, report.Sent, report.RefusedCount, report.Trips, report.BytesIn, report.BytesOut})
		err = out.flush()
	} else {
		err = a.say("%d received, %d sent, %d refused; %d trips, %d bytes in, %d out",
			report.Received, report.Sent, report.RefusedCount, report.Trips, report.BytesIn, report.BytesOut)
	}
	switch {
	case failure != nil:
		return failure
	case err == nil && report.RefusedCount > 0:
		return errFindings
	}
	return err
}

type serveCommand struct {
	tokenFlags `embed:""`
	Store      string `arg:"" help:"A store in a file, or a postgres:// address."`
	Schema     string `help:"Schema of databases." default:"causal"`
	Listen     string `help:"Address to listen on; a token is required if other machines can reach it." default:"127.0.0.1:8340" placeholder:"HOST:PORT"`
	Cert       string `help:"File with the certificate, for https." placeholder:"FILE" type:"existingfile"`
	CertKey    string `name:"cert-key" help:"File with its key." placeholder:"FILE" type:"existingfile"`
	ReadOnly   bool   `help:"Serve events read-only."`
}

// Validate is called by kong.
func (c *serveCommand) Validate() error {
	if (c.Cert == "") != (c.CertKey == "") {
		return errors.New("use --cert together with --cert-key")
	}
	_, _, err := net.SplitHostPort(c.Listen)
	return err
}

// Run is called by kong.
func (c *serveCommand) Run(ctx context.Context, a *app) error {
	token, err := c.token(a)
	if err != nil {
		return err
	}
	if token == "" && !isLoopback(c.Listen) {
		return fmt.Errorf("%s can be reached from other machines: set CAUSAL_TOKEN or --token-file", c.Listen)
	}
	open := func() (*input.Store, error) { return input.Open(ctx, c.Store, c.Schema) }
	if c.ReadOnly {
		open = func() (*input.Store, error) { return input.OpenForReading(ctx, c.Store, c.Schema) }
	}
	store, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	served := causal.EventStore(store)
	if c.ReadOnly {
		served = readOnly{store}
	}
	replica, err := causalsync.New(served, &causalsync.Options{OnRefused: func(peer string, r causalsync.Refusal) {
		a.note("event %s of %s was refused: %v", r.EventID, peer, r.Err)
	}})
	if err != nil {
		return err
	}
	if c.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.Cert, c.CertKey); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/sync", causalsync.Handler(replica, authorizer(token)))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}
	scheme := "http"
	if c.Cert != "" {
		scheme = "https"
	}
	a.note("serving %s at %s://%s/sync", store.Name, scheme, listener.Addr())
	return c.serve(ctx, server, listener)
}

// serve serves until ctx is done, and then finishes running requests.
func (c *serveCommand) serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	go func() {
		if c.Cert != "" {
			ended <- server.ServeTLS(listener, c.Cert, c.CertKey)
		} else {
			ended <- server.Serve(listener)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace-time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errStopped
}

// readOnly is a store that refuses new events.
type readOnly struct{ *input.Store }

func (readOnly) refuse() error {
	return &causal.StorageError{Op: "save events", Err: fmt.Errorf("%w: it is served read-only", errors.ErrUnsupported)}
}

// SaveEvent refuses.
func (s readOnly) SaveEvent(context.Context, causal.Event) error { return s.refuse() }

// SaveEvents refuses.
func (s readOnly) SaveEvents(context.Context, []causal.Event) error { return s.refuse() }

// Append refuses.
//
//nolint:unparam // it is that of causal.Appender
func (s readOnly) Append(context.Context, []causal.Event) (causal.Appended, error) {
	return causal.Appended{}, s.refuse()
}

// isLoopback reports whether a listening address can be reached only from this
// machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// authorizer returns the function that authorizes requests. Without a token it
// admits programs on this machine, but no page in a browser, which could reach
// this machine as well.
func authorizer(token string) func(*http.Request) (string, causal.Filter, error) {
	want := sha256.Sum256([]byte("Bearer " + token))
	return func(r *http.Request) (string, causal.Filter, error) {
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return "", causal.Filter{}, err
		}
		if token == "" {
			if r.Header.Get("Origin") != "" || !isLoopback(withPort(r.Host)) {
				err = errors.New("not from this machine")
			}
			return peer, causal.Filter{}, err
		}
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			err = errors.New("another token is needed")
		}
		return peer, causal.Filter{}, err
	}
}

// withPort adds a port to a host if it has none.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(strings.Trim(host, "[]"), "0")
	}
	return host
}
