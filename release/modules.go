package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

const rootPath = "github.com/spec-kitty/causal"

// module is a released module.
type module struct {
	dir string // "." is the root
	// isCommand means that the module has no API.
	isCommand bool
}

// modules are the released modules, each after those it requires.
var modules = []module{
	{dir: "."}, {dir: "causalsqlite"}, {dir: "causalpg"}, {dir: "causalnats"}, {dir: "cmd/causal", isCommand: true},
}

func (m module) path() string { return strings.TrimSuffix(rootPath+"/"+m.dir, "/.") }

func (m module) tag(version string) string { return strings.TrimPrefix(m.dir+"/"+version, "./") }

// isIn reports whether the module existed in a release of the root.
func (m module) isIn(ctx context.Context, root, version string) bool {
	_, err := output(ctx, command{dir: root}, "git", "cat-file", "-e", version+":"+strings.TrimPrefix(m.dir+"/go.mod", "./"))
	return err == nil
}

func isOurs(path string) bool { return path == rootPath || strings.HasPrefix(path, rootPath+"/") }

// stamp makes the go.mod file of a module require this version of our other
// modules, without replacements.
func (m module) stamp(clone, version string) error {
	path := filepath.Join(clone, m.dir, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := modfile.Parse(path, data, nil)
	if err != nil {
		return err
	}
	if f.Module.Mod.Path != m.path() {
		return fmt.Errorf("%s is not the module %s", path, m.path())
	}
	for _, r := range f.Require {
		if isOurs(r.Mod.Path) {
			if err := f.AddRequire(r.Mod.Path, version); err != nil {
				return err
			}
		}
	}
	for _, r := range f.Replace {
		if !isOurs(r.Old.Path) {
			return fmt.Errorf("%s replaces %s, which importers ignore", path, r.Old.Path)
		}
		if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	f.Cleanup()
	data, err = f.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// release releases a module in the clone: it stamps and tidies its go.mod file,
// commits the changes, and sets the tag. The modules it requires must have been
// released.
func (m module) release(ctx context.Context, c command, version string) error {
	if err := m.stamp(c.dir, version); err != nil {
		return err
	}
	inModule := c
	inModule.dir = filepath.Join(c.dir, m.dir)
	if _, err := output(ctx, inModule, "go", "mod", "tidy"); err != nil {
		return err
	}
	changed, err := output(ctx, c, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		if m.dir == "." {
			return fmt.Errorf("the go.mod file of the root is not tidy:\n%s", changed)
		}
		if _, err := output(ctx, c, "git", "add", "--all"); err != nil {
			return err
		}
		if _, err := output(ctx, c, "git", "commit", "-qm", "release: "+m.tag(version)); err != nil {
			return err
		}
	}
	_, err = output(ctx, c, "git", "tag", m.tag(version))
	return err
}
