// Package ctxerr returns the same error everywhere for a context that is done.
package ctxerr

import (
	"context"
	"errors"
	"fmt"
)

// Of returns nil if ctx is not done, and otherwise an error that matches both
// ctx.Err() and [context.Cause].
func Of(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("causal: %w: %w", err, cause)
	}
	return fmt.Errorf("causal: %w", err)
}
