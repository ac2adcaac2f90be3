package causalsqlite_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/adaptertest"
	"github.com/spec-kitty/causal/internal/eventtest"
)

const (
	consumePath  = "CAUSALSQLITE_CONSUME_PATH" // the child consumes this file
	consumeHang  = "CAUSALSQLITE_CONSUME_HANG" // hang after the effect of entry hangAt, before its position is saved
	consumeCount = 2000
	hangAt       = 100
)

// TestConsumeChild is the child process of TestConsumerIsKilled, and does
// nothing otherwise. Each entry has an effect, a line of output, and is counted
// in the state.
func TestConsumeChild(t *testing.T) {
	path := os.Getenv(consumePath)
	if path == "" {
		return
	}
	s := openAt(t, path, nil)
	ctx, cancel := context.WithCancel(t.Context())
	err := causal.Consume(ctx, s, "effects", func(_ context.Context, b *causal.Batch) error {
		count := uint64(0)
		if b.State != nil {
			count = binary.BigEndian.Uint64(b.State)
		}
		for _, entry := range b.Entries {
			fmt.Println("effect", entry.Cursor.Position())
			if count++; os.Getenv(consumeHang) != "" && entry.Cursor.Position() == hangAt {
				time.Sleep(time.Hour) // until it is killed
			}
		}
		b.State = binary.BigEndian.AppendUint64(nil, count)
		if b.Entries[len(b.Entries)-1].Cursor.Position() == consumeCount {
			cancel()
		}
		return nil
	}, &causal.ConsumeOptions{BatchSize: 13})
	require.ErrorIs(t, err, context.Canceled)
}

// A consumer that is killed, even between an effect and saving its position,
// skips no entry, and its state has each one once.
func TestConsumerIsKilled(t *testing.T) {
	t.Parallel()
	path := testPath(t)
	s := openAt(t, path, nil)
	require.NoError(t, s.SaveEvents(t.Context(), eventtest.NewRange(t, 0, consumeCount)))
	last, repeated := uint64(0), 0
	for runs := 0; last < consumeCount; runs++ {
		require.Less(t, runs, 100)
		cmd := adaptertest.ChildCommand("TestConsumeChild", consumePath+"="+path)
		left := rand.IntN(300)
		if runs == 0 { // certainly between an effect and saving its position
			cmd.Env, left = append(cmd.Env, consumeHang+"=1"), hangAt
		}
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		effects := bufio.NewScanner(out)
		for effects.Scan() {
			var position uint64
			if n, _ := fmt.Sscanf(effects.Text(), "effect %d", &position); n == 0 {
				require.False(t, strings.HasPrefix(effects.Text(), "--- FAIL"), effects.Text())
				continue
			}
			require.LessOrEqual(t, position, last+1, "an entry was left out")
			if position <= last {
				repeated++
			}
			last = max(last, position)
			if left--; left == 0 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); last == consumeCount && left > 0 {
			require.NoError(t, err)
		}
	}
	require.NotZero(t, repeated, "no kill came between an effect and its checkpoint")
	if lag, err := causal.Lag(t.Context(), s, "effects"); err != nil || lag > 0 { // killed after the last effect
		require.NoError(t, err)
		require.NoError(t, adaptertest.ChildCommand("TestConsumeChild", consumePath+"="+path).Run())
	}
	c, err := s.LoadCheckpoint(t.Context(), "effects")
	require.NoError(t, err)
	require.Equal(t, uint64(consumeCount), binary.BigEndian.Uint64(c.State))
}

// Close ends a waiting consumer immediately, and a busy one after its batch.
func TestConsumerIsClosed(t *testing.T) {
	for _, isBusy := range []bool{false, true} {
		s := openNew(t)
		begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		require.NoError(t, s.SaveEvent(t.Context(), eventtest.New(t, 0)))
		go func() {
			ended <- causal.Consume(t.Context(), s, "p", func(context.Context, *causal.Batch) error {
				close(begun)
				if isBusy {
					<-release
				}
				return nil
			}, nil)
		}()
		<-begun
		if !isBusy {
			require.Eventually(t, func() bool {
				lag, err := causal.Lag(t.Context(), s, "p")
				require.NoError(t, err)
				return lag == 0
			}, 10*time.Second, time.Millisecond)
		}
		require.NoError(t, s.Close())
		close(release)
		require.ErrorIs(t, <-ended, causal.ErrClosed)
	}
}
