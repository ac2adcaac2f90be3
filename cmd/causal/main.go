// Causal shows what happened: who emitted what and what each had seen, which
// edits are concurrent and which won, and where something is missing. It reads
// events as JSON lines, stores in files, and databases, and transfers events
// between them.
//
//	causal COMMAND [flags] [FILE...]
//
// docs/inspect.md has examples; causal COMMAND --help lists the flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
)

func main() {
	debug.SetGCPercent(400) // events are kept to the end
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends it immediately
		time.Sleep(grace)
		os.Exit(exitInterrupted) // everything saved remains
	})
	code := run(ctx, os.Args[1:], &system{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now, Terminal: terminal})
	stop()
	os.Exit(code)
}

// grace is the maximum time to finish an interrupted command.
const grace = 5 * time.Second

// system is the environment of a run.
type system struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Terminal       func(stream any) (width int, is bool)
}

// Exit codes.
const (
	exitFine        = 0
	exitFindings    = 1   // something was found or refused; everything else was done
	exitFailed      = 2   // invalid usage, or a failing input or output
	exitInterrupted = 130 // by a signal
)

// errFindings ends a command that has reported findings.
var errFindings = errors.New("there are findings")

// errStopped ends a command that runs until it is stopped.
var errStopped = errors.New("stopped")

// minWidth is the minimum width of output, in columns.
const minWidth = 20

// grammar has all commands and their flags.
type grammar struct {
	Log       logCommand       `cmd:"" help:"Show the history of each aggregate, with a column for each node."`
	Show      showCommand      `cmd:"" help:"Show one event: its content, and the events before, after and concurrent with it."`
	Conflicts conflictsCommand `cmd:"" help:"Show concurrent edits, and who joined them or what wins."`
	Verify    verifyCommand    `cmd:"" help:"Find problems: gaps, forks, clocks, bad lines."`
	Stat      statCommand      `cmd:"" help:"Count events, nodes, aggregates."`
	Graph     graphCommand     `cmd:"" help:"Write a page that shows the history in a browser."`
	Export    exportCommand    `cmd:"" help:"Write events as JSON lines."`
	Import    importCommand    `cmd:"" help:"Save events in a store, skipping existing ones."`
	Backup    backupCommand    `cmd:"" help:"Copy a store in a file, even while it is in use."`
	Check     checkCommand     `cmd:"" help:"Check every row of a store for damage."`
	Sync      syncCommand      `cmd:"" help:"Sync two stores, or a store with a server."`
	Serve     serveCommand     `cmd:"" help:"Answer causal sync over HTTP."`
	MergeFile mergeFileCommand `cmd:"" help:"Merge files of JSON lines, as git's merge driver."`

	Color   string      `help:"Use colors: ${enum}." enum:"auto,always,never" default:"auto"`
	ASCII   bool        `name:"ascii" help:"Draw with ASCII characters only."`
	Width   int         `help:"Width of the output in columns; defaults to that of the terminal, or 80." placeholder:"N"`
	Version versionFlag `help:"Print the version and exit."`
}

// run parses arguments and runs a command. It returns the exit code.
func run(ctx context.Context, args []string, s *system) int {
	a := app{system: s}
	exit := -1
	parser, err := kong.New(&a.grammar, kong.Name("causal"), kong.Writers(s.Stdout, s.Stderr), kong.Exit(func(code int) { exit = code }),
		kong.Description("Shows what happened in logs of causal events. FILE is a file of JSON lines (- for standard input; .gz), a store in a file, or a postgres:// address; several are united."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		panic(err) // the grammar is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help or --version
		return exit
	}
	if err != nil {
		a.fail(err)
		return exitFailed
	}
	if a.Width != 0 && a.Width < minWidth {
		a.fail(fmt.Errorf("--width must be at least %d", minWidth))
		return exitFailed
	}
	a.setUp()
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&a)
	switch {
	case ctx.Err() != nil && !errors.Is(err, errStopped):
		return exitInterrupted
	case err == nil, errors.Is(err, errStopped):
		return exitFine
	case errors.Is(err, errFindings):
		return exitFindings
	}
	a.fail(err)
	return exitFailed
}

// app is a run of a command.
type app struct {
	*system
	grammar
}

// fail reports the error that ends the run.
func (a *app) fail(err error) {
	fmt.Fprintln(a.Stderr, "causal:", term.Escape(strings.ReplaceAll(err.Error(), "\n", "; ")))
}

// note reports something to people.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.Stderr, term.Escape(fmt.Sprintf(format, args...)))
}
