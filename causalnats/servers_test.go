package causalnats_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/adaptertest"
)

const envServer = "CAUSALNATS_SERVER" // the child is this server: a directory, a number and ports, with spaces between them

// TestServer is the process of a server, and does nothing else.
func TestServer(t *testing.T) {
	words := strings.Fields(os.Getenv(envServer))
	if len(words) == 0 {
		return
	}
	var numbers []int
	for _, word := range words[1:] {
		n, err := strconv.Atoi(word)
		require.NoError(t, err)
		numbers = append(numbers, n)
	}
	s, err := server.NewServer(serverOptions(words[0], numbers[0], numbers[1:]))
	require.NoError(t, err)
	s.Start()
	_, _ = os.Stdin.Read(make([]byte, 1)) // so that it does not outlive the test
	os.Exit(0)
}

// processes are three servers, each a process that can be killed.
type processes struct {
	dir   string
	ports []int
	cmds  []*exec.Cmd
}

func startProcesses(t testing.TB) *processes {
	p := &processes{dir: t.TempDir(), ports: freePorts(t, 6), cmds: make([]*exec.Cmd, 3)}
	for i := range 3 {
		p.start(t, i)
	}
	t.Cleanup(func() {
		for i := range 3 {
			p.kill(i)
		}
	})
	return p
}

func (p *processes) start(t testing.TB, i int) {
	description := fmt.Sprint(filepath.Join(p.dir, fmt.Sprint("n", i)), " ", i)
	for _, port := range p.ports {
		description += fmt.Sprint(" ", port)
	}
	cmd := adaptertest.ChildCommand("TestServer", envServer+"="+description)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p.cmds[i] = cmd
}

// kill is kill -9.
func (p *processes) kill(i int) {
	if p.cmds[i] != nil {
		_ = p.cmds[i].Process.Kill()
		_ = p.cmds[i].Wait()
		p.cmds[i] = nil
	}
}

func (p *processes) urls() string {
	var urls []string
	for _, port := range p.ports[:3] {
		urls = append(urls, fmt.Sprint("nats://127.0.0.1:", port))
	}
	return strings.Join(urls, ",")
}

// leader returns the server that leads a stream.
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
