// Cluster runs three NATS servers in this program, and a node on each of three
// stores that share a log there. While the nodes emit, the leader of the log is
// shut down. In the end all have the same history, and nothing is lost.
//
//	go run ./examples/cluster
//
// A real cluster has a server in each of three data centers or racks;
// docs/nats.md has its configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/causalnats"
)

const (
	project = "12345678-1234-5678-1234-567812345678"
	each    = 100 // events of each node
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	servers, urls, err := startServers(dir)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range servers {
			s.Shutdown()
			s.WaitForShutdown()
		}
	}()
	nc, err := nats.Connect(urls, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := causalnats.Provision(ctx, nc, nil); err != nil {
		return err
	}

	nodes, stores := make([]*causal.Node, 3), make([]*causalnats.Store, 3)
	for i := range nodes {
		store, err := causalnats.Open(ctx, urls, nil) // in a service: once in each process
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }()
		stores[i] = store
		nodes[i], err = causal.OpenNode(ctx, fmt.Sprint("node-", i+1), store, causal.NodeOptions{ProjectUUID: project})
		if err != nil {
			return err
		}
		defer func() { _ = nodes[i].Close() }()
	}
	emitted := emitAll(ctx, nodes, func() { shutDownLeader(servers) })
	return report(ctx, nodes, stores, emitted)
}

// startServers starts a cluster that flushes each message to the disk before
// acknowledging it.
func startServers(dir string) (servers []*server.Server, urls string, err error) {
	ports, err := freePorts(6)
	if err != nil {
		return nil, "", err
	}
	var routes []*url.URL
	for _, port := range ports[3:] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", port)})
	}
	var all []string
	for i := range 3 {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("server-", i+1), Host: "127.0.0.1", Port: ports[i], NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: filepath.Join(dir, fmt.Sprint(i)), SyncAlways: true, MaxPayload: 8 << 20,
			Cluster: server.ClusterOpts{Name: "causal", Host: "127.0.0.1", Port: ports[3+i]}, Routes: routes,
		})
		if err != nil {
			return nil, "", err
		}
		s.Start()
		servers, all = append(servers, s), append(all, fmt.Sprint("nats://127.0.0.1:", ports[i]))
	}
	for _, s := range servers {
		if !s.ReadyForConnections(time.Minute) {
			return nil, "", errors.New("a server does not start")
		}
	}
	return servers, strings.Join(all, ","), nil
}

func freePorts(count int) (ports []int, err error) {
	var listeners []net.Listener // all at a time, so that no port occurs twice
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		address, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, int(address.Port()))
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// emitAll lets each node emit its events, and calls halfWay in the meantime. It
// returns the emitted events.
func emitAll(ctx context.Context, nodes []*causal.Node, halfWay func()) map[causal.EventID]bool {
	var mu sync.Mutex
	var group sync.WaitGroup
	emitted := map[causal.EventID]bool{}
	half := sync.OnceFunc(func() { group.Go(halfWay) })
	for _, node := range nodes {
		group.Go(func() {
			for i := range each {
				event, err := node.Emit(ctx, causal.EventParams{Type: "Counted", AggregateID: fmt.Sprint("counter-", i%10)})
				if err != nil {
					log.Print(err)
					return
				}
				mu.Lock()
				emitted[event.ID()] = true
				mu.Unlock()
				if i == each/2 {
					half()
				}
			}
		})
	}
	group.Wait()
	return emitted
}

// shutDownLeader shuts down the leader of the log's stream.
func shutDownLeader(servers []*server.Server) {
	for _, s := range servers {
		if s.JetStreamIsStreamLeader("$G", "causal_LOG") {
			s.Shutdown()
			fmt.Println("the leader is gone")
			return
		}
	}
}

// report compares the content of the stores with the emitted events.
func report(ctx context.Context, nodes []*causal.Node, stores []*causalnats.Store, emitted map[causal.EventID]bool) error {
	fmt.Println("emitted:", len(emitted))
	for i, node := range nodes {
		stored := 0
		for event, err := range stores[i].AllEvents(ctx) {
			if err != nil {
				return err
			}
			if emitted[event.ID()] {
				stored++
			}
		}
		gaps, err := node.Missing(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s has %d of them, and %d gaps\n", node.ID(), stored, len(gaps))
	}
	return nil
}
