package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// command is the directory and environment of a command.
type command struct {
	dir string
	env []string // in addition to that of this process
}

// output runs a command and returns its output without surrounding space. The
// variables of git are removed from the environment: in a hook they name the
// repository that runs it.
func output(ctx context.Context, c command, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "GIT_") })
	cmd.Dir, cmd.Env = c.dir, slices.Concat(env, c.env)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out.Bytes(), errs.Bytes())
	}
	return strings.TrimSpace(out.String()), nil
}

// prepare releases all modules in a clone of the repository in dir/causal,
// without publishing anything, and checks them as their users would. tools is
// the directory of this module. A version of "" stands for a dry run with the
// next one.
func prepare(ctx context.Context, root, tools, dir, version string) error {
	if shallow, err := output(ctx, command{dir: root}, "git", "rev-parse", "--is-shallow-repository"); err != nil || shallow != "false" {
		return errors.Join(err, errors.New("this clone is shallow, so earlier releases may be missing"))
	}
	latest, err := latestVersion(ctx, root)
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(root, changelogFile))
	if err != nil {
		return err
	}
	if err := checkChangelog(string(changelog), version); err != nil {
		return err
	}
	if version, err = checkVersion(version, latest); err != nil {
		return err
	}
	if changed, err := output(ctx, command{dir: root}, "git", "status", "--porcelain"); err != nil || changed != "" {
		return errors.Join(err, fmt.Errorf("not everything is committed:\n%s", changed))
	}

	clone := filepath.Join(dir, "causal")
	if _, err := output(ctx, command{}, "git", "clone", "-q", "--no-local", root, clone); err != nil {
		return err
	}
	c, cleanUp, err := surroundings(ctx, clone)
	if err != nil {
		return err
	}
	defer cleanUp()
	for _, m := range modules {
		fmt.Println("release:", m.tag(version))
		if err := m.release(ctx, c, version); err != nil {
			return err
		}
	}
	if err := compareAPIs(ctx, tools, c, version, latest); err != nil {
		return err
	}
	if err := install(ctx, c, version); err != nil {
		return err
	}
	fmt.Printf("release: %s can be published\n", version)
	return nil
}

// surroundings returns an environment in which Go finds our modules in the
// clone, by its tags, and keeps them in a separate module cache.
func surroundings(ctx context.Context, clone string) (c command, cleanUp func(), err error) {
	known, err := output(ctx, command{}, "go", "env", "GOMODCACHE")
	if err != nil {
		return c, nil, err
	}
	proxy, err := output(ctx, command{}, "go", "env", "GOPROXY")
	if err != nil {
		return c, nil, err
	}
	cache, err := os.MkdirTemp("", "causal-modules")
	if err != nil {
		return c, nil, err
	}
	author := "causal release"
	env := []string{
		"GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE=" + cache, "GONOPROXY=" + rootPath, "GONOSUMDB=" + rootPath, "GOOS=", "GOARCH=",
		"GOPROXY=file://" + filepath.ToSlash(filepath.Join(known, "cache", "download")) + "," + proxy,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, // such as signatures and hooks
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(clone) + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + rootPath,
		"GIT_AUTHOR_NAME=" + author, "GIT_COMMITTER_NAME=" + author, "GIT_AUTHOR_EMAIL=", "GIT_COMMITTER_EMAIL=",
	}
	return command{dir: clone, env: env}, func() { _ = os.RemoveAll(cache) }, nil
}

// compareAPIs prints the changes of the APIs since the latest version, and
// returns an error if they need a greater step.
func compareAPIs(ctx context.Context, tools string, c command, version, latest string) error {
	if latest == "" {
		fmt.Println("release: there is no earlier API to compare with")
		return nil
	}
	dir, err := os.MkdirTemp("", "causal-api")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	apidiff := filepath.Join(dir, "apidiff")
	if _, err := output(ctx, command{dir: tools, env: []string{"GOWORK=off"}},
		"go", "build", "-o", apidiff, "golang.org/x/exp/cmd/apidiff"); err != nil {
		return err
	}
	for i, m := range modules {
		if m.isCommand || !m.isIn(ctx, c.dir, latest) {
			continue
		}
		var exports []string
		for _, v := range []string{latest, version} {
			tree := filepath.Join(dir, fmt.Sprint(i), v)
			if _, err := output(ctx, c, "git", "worktree", "add", "-q", "--detach", tree, m.tag(v)); err != nil {
				return err
			}
			exports = append(exports, filepath.Join(dir, fmt.Sprint(i), v+".api"))
			at := command{dir: filepath.Join(tree, m.dir), env: c.env}
			if _, err := output(ctx, at, apidiff, "-m", "-w", exports[len(exports)-1], m.path()); err != nil {
				return err
			}
			if _, err := output(ctx, c, "git", "worktree", "remove", "--force", tree); err != nil {
				return err
			}
		}
		changes, err := output(ctx, c, apidiff, append([]string{"-m"}, exports...)...)
		if err != nil {
			return err
		}
		fmt.Printf("release: changes of %s since %s:\n%s\n", m.path(), latest, changes)
		incompatible, err := output(ctx, c, apidiff, append([]string{"-m", "-incompatible"}, exports...)...)
		if err != nil {
			return err
		}
		if err := checkCompatibility(version, latest, incompatible); err != nil {
			return fmt.Errorf("%s: %w", m.path(), err)
		}
	}
	return nil
}

// install gets all modules into a new program, and installs the command, as the
// README says.
func install(ctx context.Context, c command, version string) error {
	dir, err := os.MkdirTemp("", "causal-program")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := command{dir: dir, env: append(c.env, "GOBIN="+dir)}
	source := "package main\n\nimport (\n"
	get := []string{"get"}
	for _, m := range modules {
		if !m.isCommand {
			source += fmt.Sprintf("\t_ %q\n", m.path())
			get = append(get, m.path()+"@"+version)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source+")\n\nfunc main() {}\n"), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"mod", "init", "example.com/program"}, get, {"mod", "tidy"}, {"run", "."}} {
		if _, err := output(ctx, program, "go", args...); err != nil {
			return err
		}
	}
	for _, m := range modules {
		if !m.isCommand {
			continue
		}
		if _, err := output(ctx, program, "go", "install", m.path()+"@"+version); err != nil {
			return err
		}
		reported, err := output(ctx, program, filepath.Join(dir, filepath.Base(m.dir)), "--version")
		if err != nil {
			return err
		}
		if !slices.Contains(strings.Fields(reported), version) {
			return fmt.Errorf("the installed command says that its version is %s, not %s", reported, version)
		}
	}
	return nil
}
