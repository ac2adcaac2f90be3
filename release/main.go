// Release checks and prepares a release of all modules, in lockstep:
//
//	go run ./release -dry-run          check that HEAD can be released
//	go run ./release -o DIR v0.1.0     also make a clone with the tags in DIR
//	go run ./release -licenses         list the licenses of all dependencies
//
// docs/release.md describes the steps of a release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const (
	changelogFile = "CHANGELOG.md"
	licensesFile  = "docs/licenses.md"
)

func main() {
	dryRun := flag.Bool("dry-run", false, "check that HEAD can be released, and keep nothing")
	out := flag.String("o", "", "new directory for a clone with the tags")
	licenses := flag.Bool("licenses", false, "write "+licensesFile)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *dryRun, *licenses, *out, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dryRun, licenses bool, out string, args []string) error {
	root, err := output(ctx, command{}, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	tools := filepath.Join(root, "release")
	switch {
	case licenses && !dryRun && out == "" && len(args) == 0:
		text, err := licenseTable(ctx, root)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, licensesFile), []byte(text), 0o644)
	case dryRun && !licenses && out == "" && len(args) == 0:
		dir, err := os.MkdirTemp("", "causal-release")
		if err != nil {
			return err
		}
		err = prepare(ctx, root, tools, dir, "")
		return errors.Join(err, os.RemoveAll(dir))
	case out != "" && len(args) == 1 && !dryRun && !licenses:
		if err := os.Mkdir(out, 0o755); err != nil {
			return err
		}
		dir, err := filepath.Abs(out)
		if err == nil {
			err = prepare(ctx, root, tools, dir, args[0])
		}
		if err != nil {
			err = errors.Join(err, os.RemoveAll(out))
		}
		return err
	}
	return errors.New("usage: -dry-run, -o DIR VERSION, or -licenses")
}
