package causalpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adapter"
)

// pollInterval is how often Wait looks by itself, and connectTimeout how long it lets a
// new connection wait for the server's answer. Tests change them.
var (
	pollInterval   = time.Second
	connectTimeout = 3 * time.Second
)

// Wait returns when the log has an entry after the cursor, immediately if it has
// one already. It is for readers that follow the log with [Store.ReadLog]. The
// server's NOTIFY wakes it, which a Store sends after a save, every 5 ms at most. Because
// poolers drop notifications and lost connections miss them, Wait also looks once a
// second, and every four seconds if a new connection gets no answer. While it waits, it
// has a connection of its own, in addition to the pool.
//
// Wait returns the error of ctx if it ends, the errors of [causal.Cursor.PositionIn]
// for the cursor, or a [*causal.StorageError].
func (s *Store) Wait(ctx context.Context, after causal.Cursor) error {
	if err := s.check(ctx, opWait); err != nil {
		return err
	}
	if found, err := s.hasMore(ctx, after); found || err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(adapter.Closed(opWait)) })()
	var l listener
	defer l.close()
	for {
		l.connect(ctx, s)
		// Only now, so that nothing comes between looking and waiting.
		if found, err := s.hasMore(ctx, after); found || err != nil {
			return err
		}
		l.wait(ctx)
	}
}

const opWait = "wait for entries"

// hasMore reports whether the log has an entry after the cursor.
func (s *Store) hasMore(ctx context.Context, after causal.Cursor) (bool, error) {
	if err := s.checkOpen(opWait); err != nil {
		return false, err
	}
	head, err := s.locate(ctx, opWait, after)
	return after.Position() < head.Position(), err
}

// listener is a connection that hears of saves, if there is one.
type listener struct {
	conn *pgx.Conn // nil if it cannot be had
}

// connect makes the connection, if it is not there. Without it, wait is a pause.
func (l *listener) connect(ctx context.Context, s *Store) {
	if l.conn != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return
	}
	l.conn = conn
	if _, err := conn.Exec(ctx, s.sql.listen); err != nil {
		l.close()
	}
}

// wait returns when a save was heard of, the connection is lost, ctx has ended or
// it is time to look again.
func (l *listener) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollInterval)
	defer cancel()
	if l.conn != nil {
		if _, err := l.conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
			return
		}
		l.close()
	}
	<-ctx.Done()
}

func (l *listener) close() {
	if l.conn != nil {
		_ = l.conn.Close(context.Background())
		l.conn = nil
	}
}

// channel is where the saves of a schema are announced.
func channel(schema string) string { return fmt.Sprintf("causal_%016x", uint64(lockOf(schema))) }
