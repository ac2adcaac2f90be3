package causalnats_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/adaptertest"
)

const envServer = "CAUSALNATS_SERVER" // the server of a child process: JSON of a serverDescription

type serverDescription struct {
	Dir      string
	Number   int
	Ports    []int
	ForSuite bool
}

// TestServer is the process of a server, and does nothing otherwise.
func TestServer(t *testing.T) {
	text := os.Getenv(envServer)
	if text == "" {
		return
	}
	var d serverDescription
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	o := serverOptions(d.Dir, d.Number, d.Ports)
	if d.ForSuite { // which does not simulate a loss of power
		o.MaxPayload, o.SyncAlways = 32<<20, false
	}
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	_, _ = os.Stdin.Read(make([]byte, 1)) // so as not to outlive the test
	os.Exit(0)
}

// processes are servers, each in a process that can be killed.
type processes struct {
	dir      string
	ports    []int
	cmds     []*exec.Cmd
	forSuite bool
}

func startProcesses(t testing.TB, count int, forSuite bool) *processes {
	p := &processes{dir: t.TempDir(), ports: freePorts(t, 2*count), cmds: make([]*exec.Cmd, count), forSuite: forSuite}
	for i := range count {
		p.start(t, i)
	}
	t.Cleanup(func() {
		for i := range count {
			p.kill(i)
		}
	})
	return p
}

// serverProgram is this program without the race detector, which makes servers
// ten times slower.
var serverProgram = sync.OnceValues(func() (path string, err error) {
	if !hasRace {
		return os.Executable()
	}
	dir, err := os.MkdirTemp("", "causalnats")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "servers.test")
	output, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return path, nil
})

func (p *processes) start(t testing.TB, i int) {
	text, err := json.Marshal(serverDescription{filepath.Join(p.dir, fmt.Sprint("n", i)), i, p.ports, p.forSuite})
	require.NoError(t, err)
	cmd := adaptertest.ChildCommand("TestServer", envServer+"="+string(text))
	cmd.Path, err = serverProgram()
	require.NoError(t, err)
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p.cmds[i] = cmd
}

// kill sends SIGKILL.
func (p *processes) kill(i int) {
	if p.cmds[i] != nil {
		_ = p.cmds[i].Process.Kill()
		_ = p.cmds[i].Wait()
		p.cmds[i] = nil
	}
}

func (p *processes) urls() string {
	var urls []string
	for _, port := range p.ports[:len(p.cmds)] {
		urls = append(urls, fmt.Sprint("nats://127.0.0.1:", port))
	}
	return strings.Join(urls, ",")
}

// leader returns the leader of a stream.
func leader(t testing.TB, nc *nats.Conn, stream string) (i int) {
	require.Eventually(t, func() bool {
		m, err := nc.Request("$JS.API.STREAM.INFO."+stream, nil, time.Second)
		if err != nil {
			return false
		}
		var info struct{ Cluster struct{ Leader string } }
		require.NoError(t, json.Unmarshal(m.Data, &info))
		n, err := fmt.Sscanf(info.Cluster.Leader, "n%d", &i)
		return n == 1 && err == nil
	}, 30*time.Second, 10*time.Millisecond)
	return i
}
