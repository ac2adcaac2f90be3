package causalpg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spec-kitty/causal"
)

// The reasons that package causal gives for the same faults.
const (
	reasonEmpty       = "must not be empty"
	reasonNotUTF8     = "must be valid UTF-8"
	reasonNil         = "must not be nil"
	reasonNotNegative = "must not be negative"
	reasonNotPositive = "must be at least 1"
	reasonZeroEvent   = "must not be the zero Event"
)

// invalid is the error for one bad field.
func invalid(field, reason string) error {
	return &causal.ValidationError{Fields: []causal.FieldError{{Field: field, Reason: reason}}}
}

// checkText returns the error for a text that is empty or not UTF-8.
func checkText(field, text string) error {
	switch {
	case text == "":
		return invalid(field, reasonEmpty)
	case !utf8.ValidString(text):
		return invalid(field, reasonNotUTF8)
	}
	return nil
}

// checkContext returns nil if ctx is alive, and an error that matches ctx's
// error and its cause if it has ended.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return invalid("ctx", reasonNil)
	}
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("causal: %w: %w", err, cause)
	}
	return fmt.Errorf("causal: %w", err)
}

func closedError(op string) error {
	return &causal.StorageError{Op: op, Err: causal.ErrClosed}
}

// failure returns the error that a caller gets for err: err itself if it says
// what it is in the terms of package causal, else that of the caller's context if
// it has ended. Errors of the driver are reduced to their text, so that its types
// stay out of the contract.
func failure(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{
		causal.ErrStorage, causal.ErrIDConflict, causal.ErrClockOverflow, causal.ErrInvalidCursor,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	if ended := checkContext(ctx); ended != nil {
		return ended
	}
	return &causal.StorageError{Op: op, Err: errors.New(text(err))}
}

// text describes an error of the driver without any value that was written: the
// server puts values into details, and into the messages of some classes.
func text(err error) string {
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

// isTransient reports whether the same may succeed in a moment: the transaction
// was in another's way, or the connection is lost.
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

// isIn reports whether an error of the server is in one of these classes.
func isIn(err *pgconn.PgError, classes ...string) bool {
	return len(err.Code) == 5 && slices.Contains(classes, err.Code[:2])
}

// isRefusal reports whether the data may be the reason: what is refused together
// may be accepted one by one. After a timeout that would take as long again for each.
func isRefusal(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && isIn(server, "22", "23", "53", "54", "P0")
}

// isUndone reports whether the failure of one statement leaves nothing of it.
func isUndone(err error) bool {
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	return errors.As(err, &server) && (server.Code == "40001" || server.Code == "40P01") || errors.As(err, &connect)
}

// errLost marks a failure after which the connection is closed.
var errLost = errors.New("the connection is lost")
