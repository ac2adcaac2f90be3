package causalnats_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
	"github.com/spec-kitty/causal/internal/eventtest"
)

// Behaviors of a proxy.
const (
	passing    = iota
	delaying   // each answer is delayed
	swallowing // answers are lost, while messages arrive: half open
	deaf       // nothing passes, without notice
	repeating  // each answer is duplicated
	losing     // each seventh answer is lost
)

// proxy is between clients and one server.
type proxy struct {
	listener net.Listener
	mode     atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

func startProxy(t *testing.T, address string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l}
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			go p.forward(client, server)
			go p.answer(server, client)
		}
	}()
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// forward passes data sent by clients. A connection on which something was held
// back is useless afterwards.
func (p *proxy) forward(from, to net.Conn) {
	defer to.Close()
	buffer, isSpoilt := make([]byte, 64<<10), false
	for {
		n, err := from.Read(buffer)
		if isSpoilt = isSpoilt || p.mode.Load() == deaf; !isSpoilt {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// answer passes data sent by a server, message by message.
func (p *proxy) answer(from, to net.Conn) {
	defer to.Close()
	r, isSpoilt := bufio.NewReader(from), false
	for n := 1; ; n++ {
		frame, isMessage, err := readFrame(r)
		if err != nil {
			return
		}
		mode := p.mode.Load()
		isSpoilt = isSpoilt || mode == swallowing || mode == deaf
		switch {
		case isSpoilt:
			continue
		case mode == delaying:
			time.Sleep(20 * time.Millisecond)
		case mode == losing && isMessage && n%7 == 0:
			continue
		case mode == repeating && isMessage:
			frame = bytes.Repeat(frame, 2)
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// readFrame reads a line and, if it is the head of a message, the message.
func readFrame(r *bufio.Reader) (frame []byte, isMessage bool, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, false, err
	}
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "MSG" && fields[0] != "HMSG" {
		return []byte(line), false, nil
	}
	var size int
	if _, err := fmt.Sscan(fields[len(fields)-1], &size); err != nil {
		return nil, false, err
	}
	body := make([]byte, size+2)
	_, err = io.ReadFull(r, body)
	return append([]byte(line), body...), true, err
}

// Whatever the network does between a client and its server, every acknowledged
// event is there, once.
func TestNetworkFaults(t *testing.T) {
	c := startCluster(t, 1)
	nc := connect(t, c.urls())
	o := provision(t, nc, causalnats.Options{Replicas: 1, Retry: time.Minute})
	p := startProxy(t, strings.TrimPrefix(c.urls(), "nats://"))
	shared := &sharedEvents{}
	var writers []*writer
	for i := range 2 {
		s, err := causalnats.Open(t.Context(), p.url(), &o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		writers = append(writers, &writer{store: s, number: i, shared: shared, acked: map[causal.EventID]causal.Event{}})
	}
	stop, goOn, wait := startWriters(t, writers)
	goOn("at first")
	for name, mode := range map[string]int64{"delayed": delaying, "repeated": repeating, "lost": losing} {
		p.mode.Store(mode)
		goOn(name)
	}
	for name, mode := range map[string]int64{"half open": swallowing, "deaf": deaf, "repeated, cut": repeating, "cut": passing} {
		p.mode.Store(mode)
		time.Sleep(300 * time.Millisecond)
		p.mode.Store(passing)
		if strings.Contains(name, "cut") {
			p.cut()
		}
		goOn(name)
	}
	close(stop)
	wait()
	requireWritten(t, writers, open(t, nc, o))
}

// Lost answers are requested again, and are not holes.
func TestAnswersAreLost(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 1)
	o := provision(t, connect(t, c.urls()), causalnats.Options{Replicas: 1})
	s := open(t, connect(t, c.urls()), o)
	const count = 300
	for i, e := range eventtest.NewRange(t, 0, count) {
		require.NoError(t, s.SaveEvent(ctx, e))
		if i%10 == 0 {
			_, err := s.SaveCheckpoint(ctx, fmt.Sprintf("%03d", i), causal.Checkpoint{})
			require.NoError(t, err)
			_, err = s.AppendRejected(ctx, causal.Rejected{Source: fmt.Sprint(i), Reason: "r", Time: e.Timestamp()})
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.DeleteCheckpoint(ctx, "000"))
	p := startProxy(t, strings.TrimPrefix(c.urls(), "nats://"))
	nc := connect(t, p.url())
	require.NoError(t, nc.Flush())
	p.mode.Store(losing)
	other := open(t, nc, o)
	require.Len(t, eventtest.LoadAll(t, other), count)
	names := 0
	for _, err := range other.Checkpoints(ctx) {
		require.NoError(t, err)
		names++
	}
	require.Equal(t, count/10-1, names)
	rejected := 0
	for _, err := range other.Rejected(ctx) {
		require.NoError(t, err)
		rejected++
	}
	require.Equal(t, count/10, rejected)
}
