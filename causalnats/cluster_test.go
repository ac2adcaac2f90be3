package causalnats_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/causalnats"
)

// cluster is one or three servers in this process.
type cluster struct {
	options []*server.Options
	servers []*server.Server
}

// startCluster starts servers that write each message to the disk before
// acknowledging it.
func startCluster(t testing.TB, count int, change ...func(*server.Options)) *cluster {
	c := &cluster{servers: make([]*server.Server, count)}
	dir, ports := t.TempDir(), freePorts(t, 2*count)
	for i := range count {
		o := serverOptions(filepath.Join(dir, fmt.Sprint("n", i)), i, ports)
		for _, f := range change {
			f(o)
		}
		c.options = append(c.options, o)
	}
	for i := range count {
		c.start(t, i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	c.ready(t)
	return c
}

// serverOptions returns the options of a server in a cluster. ports has first
// the ports for clients and then those for servers.
func serverOptions(dir string, i int, ports []int) *server.Options {
	count := len(ports) / 2
	o := &server.Options{
		ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: ports[i], NoSigs: true, NoLog: true,
		StoreDir: dir, JetStream: true, SyncAlways: true, MaxPayload: 8 << 20,
	}
	if count > 1 {
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[count+i]}
		for _, port := range ports[count:] {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
		}
	}
	return o
}

func freePorts(t testing.TB, count int) (ports []int) {
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *cluster) start(t testing.TB, i int) {
	s, err := server.NewServer(c.options[i].Clone())
	require.NoError(t, err)
	if os.Getenv("CAUSALNATS_LOG") != "" {
		s.ConfigureLogger()
	}
	c.servers[i] = s
	s.Start()
}

func (c *cluster) stop(i int) {
	c.servers[i].Shutdown()
	c.servers[i].WaitForShutdown()
}

// ready waits until all servers are connected.
func (c *cluster) ready(t testing.TB) {
	for _, s := range c.servers {
		require.True(t, s.ReadyForConnections(20*time.Second))
	}
	require.Eventually(t, func() bool {
		hasLeader := len(c.servers) == 1
		for _, s := range c.servers {
			hasLeader = hasLeader || s.JetStreamIsLeader()
			if len(c.servers) > 1 && !s.JetStreamIsCurrent() {
				return false
			}
		}
		return hasLeader
	}, 60*time.Second, 10*time.Millisecond)
}

// urls returns the URLs of the given servers, or of all.
func (c *cluster) urls(only ...int) string {
	var urls []string
	for i, o := range c.options {
		if len(only) == 0 || only[0] == i {
			urls = append(urls, fmt.Sprint("nats://127.0.0.1:", o.Port))
		}
	}
	return strings.Join(urls, ",")
}

// connect returns a connection that reconnects.
func connect(t testing.TB, urls string, options ...nats.Option) *nats.Conn {
	options = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond), nats.Timeout(2 * time.Second), nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, options...)
	nc, err := nats.Connect(urls, options...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// provision creates the streams of a new store, and returns options with its
// name.
func provision(t testing.TB, nc *nats.Conn, o causalnats.Options) causalnats.Options {
	if o.Name == "" {
		o.Name = fmt.Sprint("T", names.Add(1))
	}
	require.NoError(t, causalnats.Provision(t.Context(), nc, &o))
	return o
}

// open opens a store until the end of the test.
func open(t testing.TB, nc *nats.Conn, o causalnats.Options) *causalnats.Store {
	s, err := causalnats.New(t.Context(), nc, &o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
