package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersions(t *testing.T) {
	for name, test := range map[string]struct{ version, latest, next, fault string }{
		"first, dry run":      {next: "v0.1.0"},
		"next, dry run":       {latest: "v0.9.3", next: "v0.10.0"},
		"next of 1, dry run":  {latest: "v1.2.3", next: "v1.3.0"},
		"first":               {version: "v0.1.0", next: "v0.1.0"},
		"patch":               {version: "v0.1.1", latest: "v0.1.0", next: "v0.1.1"},
		"pre-release":         {version: "v0.2.0-rc.1", latest: "v0.1.0", fault: "is not a version"},
		"the same":            {version: "v0.1.0", latest: "v0.1.0", fault: "does not follow"},
		"older":               {version: "v0.1.9", latest: "v0.1.10", fault: "does not follow"},
		"without v":           {version: "0.1.0", fault: "is not a version"},
		"short":               {version: "v1", fault: "is not a version"},
		"with build metadata": {version: "v1.0.0+1", fault: "is not a version"},
		"2":                   {version: "v2.0.0", fault: "is not a version"},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := checkVersion(test.version, test.latest)
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.next, next)
		})
	}
}

func TestCompatibility(t *testing.T) {
	for name, test := range map[string]struct{ version, latest, changes, fault string }{
		"first":                 {version: "v0.1.0", changes: "- A: removed"},
		"compatible patch":      {version: "v0.1.1", latest: "v0.1.0"},
		"incompatible patch":    {version: "v0.1.1", latest: "v0.1.0", changes: "- A: removed", fault: "minor version:\n- A: removed"},
		"incompatible minor":    {version: "v0.2.0", latest: "v0.1.0", changes: "- A: removed"},
		"1.0":                   {version: "v1.0.0", latest: "v0.9.0", changes: "- A: removed"},
		"incompatible after it": {version: "v1.1.0", latest: "v1.0.0", changes: "- A: removed", fault: "major version:\n- A: removed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkCompatibility(test.version, test.latest, test.changes)
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)
				return
			}
			require.NoError(t, err)
		})
	}
}

func TestChangelog(t *testing.T) {
	const text = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- B.\n\n## [0.2.0] - 2026-12-01\n\n## [0.1.0] - 2026-11-01\n\n- A.\n"
	require.NoError(t, checkChangelog(text, ""))
	require.NoError(t, checkChangelog(text, "v0.1.0"))
	require.ErrorContains(t, checkChangelog(text, "v0.2.0"), "no entries")
	require.ErrorContains(t, checkChangelog(text, "v0.3.0"), "no heading ## [0.3.0]")
	require.ErrorContains(t, checkChangelog("# Changelog\n\n## [0.1.0]\n\n- A.\n", "v0.1.0"), "no heading")
	require.NoError(t, checkChangelog("## [Unreleased]\n\n## [0.1.0] - 2026-11-01\n\n- A.\n", ""))
	require.ErrorContains(t, checkChangelog("# Changelog\n\n## [0.1.0] - 2026-11-01\n\n- A.\n", ""), "no heading ## [Unreleased]")
}

// The list of licenses is what the go.mod files say now.
func TestLicensesAreCurrent(t *testing.T) {
	text, err := licenseTable(t.Context(), "..")
	require.NoError(t, err)
	committed, err := os.ReadFile(filepath.Join("..", licensesFile))
	require.NoError(t, err)
	require.Equal(t, string(committed), text, "run go run ./release -licenses")
}

func TestLicensesMustBeKnown(t *testing.T) {
	dir := t.TempDir()
	_, err := licensesIn(dir)
	require.ErrorContains(t, err, "no known license")
	mit, err := os.ReadFile("../LICENSE")
	require.NoError(t, err)
	write(t, dir, "License.txt", string(mit))
	found, err := licensesIn(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"MIT"}, found)
	write(t, dir, "LICENSE_2", "This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.\n")
	_, err = licensesIn(dir)
	require.ErrorContains(t, err, "GPL-3.0")
	write(t, dir, "LICENSE_2", string(mit))
	write(t, dir, "COPYING", "Ask us. SQLite Is Public Domain.\n")
	_, err = licensesIn(dir)
	require.ErrorContains(t, err, "only 0% of COPYING")
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// repository is a small one with our modules.
type repository struct {
	*testing.T
	root string
}

func newRepository(t *testing.T) repository {
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "nothing")) // as in a hook
	r := repository{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	write(t, r.root, "go.mod", "module "+rootPath+"\n\ngo 1.26.0\n")
	write(t, r.root, "causal.go", "package causal\n\nfunc A() {}\n")
	write(t, r.root, changelogFile, "# Changelog\n\n## [Unreleased]\n\n- A.\n")
	for _, m := range modules[1:] {
		up := strings.Repeat("../", strings.Count(m.dir, "/")+1)
		write(t, r.root, m.dir+"/go.mod", fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", m.path(), rootPath, rootPath, up))
		source := fmt.Sprintf("package %s\n\nimport _ %q\n\nfunc A() {}\n", m.dir, rootPath)
		if m.isCommand {
			source = "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t_ \"" + rootPath + "\"\n)\n\n" +
				"func main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(info.Main.Version)\n}\n"
		}
		write(t, r.root, m.dir+"/a.go", source)
	}
	r.commit()
	return r
}

func (r repository) git(args ...string) string {
	r.Helper()
	env := []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"}
	text, err := output(r.Context(), command{r.root, env}, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	require.NoError(r, err)
	return text
}

func (r repository) commit() {
	r.Helper()
	r.git("add", "-A")
	r.git("commit", "-qm", "change")
}

// release releases a version, without publishing it, and returns the clone.
func (r repository) release(version string) (clone string, err error) {
	r.Helper()
	dir := r.TempDir()
	tools, err := os.Getwd()
	require.NoError(r, err)
	return filepath.Join(dir, "causal"), prepare(r.Context(), r.root, tools, dir, version)
}

// publish takes over the tags of a clone.
func (r repository) publish(clone string) { r.git("fetch", "-q", "--tags", clone) }

func TestRelease(t *testing.T) {
	r := newRepository(t)
	changes := func(version string) {
		write(t, r.root, changelogFile, "# Changelog\n\n## [Unreleased]\n\n## ["+version+"] - 2026-12-01\n\n- A.\n")
	}

	_, err := r.release("")
	require.NoError(t, err, "a dry run")
	require.Empty(t, r.git("tag"))
	_, err = r.release("v0.1.0")
	require.ErrorContains(t, err, "no heading ## [0.1.0]")
	changes("0.1.0")
	_, err = r.release("v0.1.0")
	require.ErrorContains(t, err, "not everything is committed")
	r.commit()
	clone, err := r.release("v0.1.0")
	require.NoError(t, err)
	r.publish(clone)
	require.Equal(t, "causalnats/v0.1.0\ncausalpg/v0.1.0\ncausalsqlite/v0.1.0\ncmd/causal/v0.1.0\nv0.1.0", r.git("tag"))
	tagged := r.git("show", "causalpg/v0.1.0:causalpg/go.mod")
	require.Contains(t, tagged, "require "+rootPath+" v0.1.0")
	require.NotContains(t, tagged, "replace")
	require.Equal(t, r.git("rev-parse", "main"), r.git("rev-parse", "v0.1.0"), "the root is released as it is")

	_, err = r.release("")
	require.NoError(t, err, "a dry run after a release")
	write(t, r.root, "causalpg/a.go", "package causalpg\n\nimport _ \""+rootPath+"\"\n\nfunc B() {}\n") // without A
	changes("0.1.1")
	r.commit()
	_, err = r.release("v0.1.1")
	require.ErrorContains(t, err, "causalpg: incompatible changes need a new minor version")
	require.ErrorContains(t, err, "A: removed")
	changes("0.2.0")
	r.commit()
	_, err = r.release("v0.2.0")
	require.NoError(t, err)
}

func TestLatestVersion(t *testing.T) {
	r := newRepository(t)
	latest := func() (string, error) { return latestVersion(t.Context(), r.root) }
	tag := func(version string) {
		for _, m := range modules {
			r.git("tag", m.tag(version))
		}
	}
	found, err := latest()
	require.NoError(t, err)
	require.Empty(t, found)
	for _, version := range []string{"v0.9.0", "v0.10.0", "v0.2.0"} {
		tag(version)
	}
	for _, other := range []string{"v1", "v0.11", "v0.11.0-rc.1", "v2.0.0", "v0.11.0+1", "note"} {
		r.git("tag", other)
	}
	found, err = latest()
	require.NoError(t, err)
	require.Equal(t, "v0.10.0", found)

	r.git("tag", "-d", "causalnats/v0.10.0")
	_, err = latest()
	require.ErrorContains(t, err, "there is no tag causalnats/v0.10.0")
	r.git("rm", "-rq", "causalnats")
	r.commit()
	r.git("tag", "-f", "v0.10.0")
	found, err = latest()
	require.NoError(t, err, "causalnats is newer")
	require.Equal(t, "v0.10.0", found)

	shallow := filepath.Join(t.TempDir(), "shallow")
	r.git("clone", "-q", "--depth", "1", "file://"+r.root, shallow)
	require.ErrorContains(t, prepare(t.Context(), shallow, ".", t.TempDir(), ""), "shallow")
	r.git("checkout", "-q", "--orphan", "other")
	r.commit()
	_, err = latest()
	require.ErrorContains(t, err, "does not contain the last release")
}

func TestRefusedReleases(t *testing.T) {
	for name, test := range map[string]struct{ path, old, text, fault string }{
		// Importers would ignore it.
		"a replacement":        {"causalpg/go.mod", "replace ", "replace example.com/a => ../a\n\nreplace ", "replaces example.com/a"},
		"an untidy root":       {"go.mod", "module ", "module  ", "not tidy"},
		"another module":       {"causalpg/go.mod", "module " + rootPath, "module example.com", "is not the module"},
		"another version":      {"cmd/causal/a.go", "info.Main.Version)", `info.Main.Version+"0")`, "says that its version is v0.1.00, not v0.1.0"},
		"a package left alone": {"causalsqlite/a.go", "func A() {}", "func A() { missing() }", "undefined: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t)
			source, err := os.ReadFile(filepath.Join(r.root, test.path))
			require.NoError(t, err)
			require.Contains(t, string(source), test.old)
			write(t, r.root, test.path, strings.Replace(string(source), test.old, test.text, 1))
			r.commit()
			_, err = r.release("")
			require.ErrorContains(t, err, test.fault)
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"v0.1.0"}} {
		require.ErrorContains(t, run(t.Context(), false, false, "", args), "usage")
	}
	require.ErrorContains(t, run(t.Context(), true, true, "", nil), "usage")
	require.ErrorContains(t, run(t.Context(), false, false, t.TempDir(), []string{"v0.1.0"}), "exists", "no directory is reused")
	out := filepath.Join(t.TempDir(), "new")
	require.ErrorContains(t, run(t.Context(), false, false, out, []string{"v0.999.0"}), "no heading ## [0.999.0]")
	require.NoDirExists(t, out, "nothing is left")
}
