// Sync has a hub and two tablets, each a process with an SQLite file, that sync
// over HTTP on this machine: through the hub, and with each other while it is
// away. The hub is killed, and restored from a backup older than the content of
// the tablets. In the end all have the same history.
//
//	go run ./examples/sync
//
// place.go has the program of each process.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	ctx := context.Background()
	err := errors.New("usage: sync [file ids...]")
	switch len(os.Args) {
	case 1:
		err = run(ctx, os.Stdout)
	case 2:
	default:
		err = runPlace(ctx, os.Stdin, os.Stdout, os.Args[1], os.Args[2:])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// process is a running place.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	url string
}

// start starts a place on a file, under the first usable one of its IDs.
func start(ctx context.Context, path string, ids ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, program, append([]string{path}, ids...)...)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.url, err = p.read()
	return p, err
}

func (p *process) read() (string, error) {
	if !p.out.Scan() {
		return "", errors.Join(errors.New("the process has ended"), p.out.Err())
	}
	return p.out.Text(), nil
}

// tell sends a command to the place, and returns its answer.
func (p *process) tell(command, argument string) (string, error) {
	if _, err := fmt.Fprintln(p.in, command, argument); err != nil {
		return "", err
	}
	answer, err := p.read()
	if err == nil && strings.HasPrefix(answer, "failed: ") {
		err = errors.New(answer)
	}
	return answer, err
}

// stop lets the place finish.
func (p *process) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// story narrates the example, until something fails.
type story struct {
	out io.Writer
	err error
}

func (s *story) title(text string) {
	if s.err == nil {
		_, s.err = fmt.Fprintln(s.out, text)
	}
}

func (s *story) tell(name string, p *process, command, argument string) {
	if s.err != nil {
		return
	}
	answer, err := p.tell(command, argument)
	if s.err = err; err == nil {
		_, s.err = fmt.Fprintf(s.out, "   %-5s %s\n", name, answer)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "sync")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := func(name string) string { return filepath.Join(dir, name) }
	var hub, alice, bob *process
	for id, p := range map[string]**process{"hub": &hub, "alice": &alice, "bob": &bob} {
		if *p, err = start(ctx, path(id+".db"), id); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, (*p).stop()) }()
	}
	s := &story{out: out}

	s.title("1. The hub and Alice write a title, and the tablets sync with the hub. The hub makes a backup.")
	s.tell("hub", hub, "edit", "Untitled")
	s.tell("alice", alice, "sync", hub.url)
	s.tell("alice", alice, "edit", "Draft")
	s.tell("alice", alice, "sync", hub.url)
	s.tell("bob", bob, "sync", hub.url)
	s.tell("hub", hub, "backup", path("backup.db"))

	s.title("2. Alice, Bob and the hub change it concurrently. Alice syncs.")
	s.tell("alice", alice, "edit", "By Alice")
	s.tell("bob", bob, "edit", "By Bob")
	s.tell("hub", hub, "edit", "By the hub")
	s.tell("alice", alice, "sync", hub.url)

	s.title("3. The hub is killed, and lost. The tablets sync with each other.")
	if s.err != nil {
		return s.err
	}
	if err := hub.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = hub.stop() // it was killed
	s.tell("bob", bob, "sync", alice.url)

	s.title("4. The hub is restored from the backup. It gets a new ID, because it may have lost events of its own.")
	if hub, err = start(ctx, path("backup.db"), "hub", "hub 2"); err != nil {
		return err
	}
	s.tell("hub", hub, "show", "")
	s.tell("hub", hub, "edit", "After the backup")
	s.tell("bob", bob, "sync", hub.url)
	s.tell("alice", alice, "sync", hub.url)

	s.title("5. All have the same events, and none are missing. Bob resolves the conflict.")
	s.tell("hub", hub, "show", "")
	s.tell("alice", alice, "show", "")
	s.tell("bob", bob, "show", "")
	s.tell("bob", bob, "edit", "By all")
	s.tell("bob", bob, "sync", hub.url)
	s.tell("hub", hub, "show", "")
	return s.err
}
