package causalpg

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causaladapter"
	"github.com/spec-kitty/causal/internal/adapter"
)

// wrapError returns the error for the caller: err itself if it is an error of
// package causal, otherwise that of the caller's context if it is done. Errors
// of the driver are reduced to their text, so that its types are not part of
// the contract.
func wrapError(ctx context.Context, op string, err error) error {
	if err == nil || adapter.IsKnown(err) {
		return err
	}
	mark := func(err error) error { return err }
	if errors.Is(err, causal.ErrOutcomeUnknown) {
		mark, err = adapter.OutcomeUnknown, errors.Unwrap(err)
	}
	if ended := causaladapter.CheckContext(ctx); ended != nil {
		return mark(ended)
	}
	return &causal.StorageError{Op: op, Err: mark(errors.New(errorText(err)))}
}

// errorText describes an error of the driver without any written value. The
// server puts values into details, and into the messages of some classes.
func errorText(err error) string {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &server):
		if isIn(server, "22", "P0") {
			return "the server refuses the data (SQLSTATE " + server.Code + ")"
		}
		return server.Severity + ": " + server.Message + " (SQLSTATE " + server.Code + ")"
	case errors.As(err, &connect):
		return "cannot connect: " + connect.Unwrap().Error()
	default:
		return err.Error()
	}
}

// isTransient reports whether a retry may succeed, because transactions were in
// conflict or the connection was lost.
func isTransient(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "40001", "40P01": // serialization failure, deadlock
			return true
		case "57P01", "57P02", "57P03", "53300": // shutdown, crash, starting up, too many connections
			return true
		}
		return isIn(server, "08")
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, errLost)
}

// isIn reports whether an error of the server is in one of the given classes.
func isIn(err *pgconn.PgError, classes ...string) bool {
	return len(err.Code) == 5 && slices.Contains(classes, err.Code[:2])
}

// isRefusal reports whether the data may be the reason, so that saves refused
// together may be accepted one by one. After a timeout each of them would take
// as long again.
func isRefusal(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && isIn(server, "22", "23", "53", "54", "P0")
}

// isUndone reports whether the failure of a single statement has left no
// effect.
func isUndone(err error) bool {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	return errors.As(err, &server) && (server.Code == "40001" || server.Code == "40P01") || errors.As(err, &connect)
}

// errLost marks a failure after which the connection is closed.
var errLost = errors.New("the connection is lost")
