package causalpg_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// server is a PostgreSQL server in a temporary directory, on a port of the
// loopback interface. It ends with the test process, even if that is killed.
type server struct {
	bin, dir string
	port     int
	settings []string
	process  *os.Process
	ended    chan struct{}
}

// newServer creates a database cluster.
func newServer(settings ...string) (*server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "causalpg")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, settings: settings}
	if s.port, err = freePort(); err == nil {
		err = giveAway(dir)
	}
	if err == nil {
		cmd := exec.Command(filepath.Join(bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust",
			"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
		cmd.Dir = dir
		cmd.SysProcAttr = otherUser()
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// startServer starts a server for one test.
func startServer(t testing.TB, settings ...string) *server {
	t.Helper()
	s, err := newServer(settings...)
	if err != nil && os.Getenv(envRequire) == "" && os.Getenv(envDSN) != "" {
		t.Skip("the test needs a server that it can stop: ", err)
	}
	require.NoError(t, err)
	t.Cleanup(s.remove)
	require.NoError(t, s.start())
	t.Cleanup(func() { s.stop(context.Background()) })
	return s
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) dsn() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// start returns when the server accepts connections.
func (s *server) start() error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// A process that must end with its parent ends with this thread.
		runtime.LockOSThread()
		cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
		cmd.Dir = s.dir
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = otherUserThatEnds()
		err := cmd.Start()
		s.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.await()
}

func (s *server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.dsn())
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.ended:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server does not start: %s", log)
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop shuts the server down, and kills it if that takes long.
func (s *server) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = s.process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.crash()
	}
}

func (s *server) remove() { _ = os.RemoveAll(s.dir) }

// findBinaries returns the directory of initdb and postgres.
func findBinaries() (string, error) {
	candidates := []string{os.Getenv("PGBIN")}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			candidates = append(candidates, filepath.Dir(path))
		}
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(installed)
	for _, dir := range append(candidates, installed...) {
		if dir == "" {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(dir, "postgres")); err != nil {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("initdb and postgres are not found")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
