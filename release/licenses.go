package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// permitted are the licenses of dependencies, by their SPDX identifiers. None
// affects the license of a program that links them.
var permitted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// Left out are notices, which repeat the licenses of other modules, linked or
// not, and licenses of logos.
var (
	licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
	noticeName  = regexp.MustCompile(`(?i)3rd.party|third.party|logo`)
)

// minCoverage is the percentage of a file that must be known licenses.
const minCoverage = 75

// publicDomain is the beginning of the license of SQLite.
const publicDomain = "SQLite Is Public Domain\n\nAll of the code and documentation in SQLite has been dedicated to the public\ndomain by the authors."

// dependency is a module required by ours.
type dependency struct {
	path, version, dir string
	// usedBy has the paths of our modules that use it, and inTests also those
	// that use it only in tests.
	usedBy, inTests map[string]bool
}

// licenseTable returns a document with the licenses of all modules imported by
// packages or tests of our modules.
func licenseTable(ctx context.Context, root string) (string, error) {
	all := map[string]*dependency{}
	for _, m := range modules {
		for _, system := range []string{"linux", "darwin", "windows"} {
			for _, isTest := range []bool{false, true} {
				if err := addDependencies(ctx, all, root, m, system, isTest); err != nil {
					return "", err
				}
			}
		}
	}
	text := "# Licenses of dependencies\n\n<!-- Made by go run ./release -licenses; do not edit. -->\n\n" +
		"The modules imported by our modules on Linux, macOS and Windows, the licenses found in their files, and our modules that use them.\n" +
		"A program links those of the modules it imports, except those used only in tests, and the standard library of Go (BSD-3-Clause).\n" +
		"In module causal, only package causaltest imports testify and rapid.\n\n" +
		"| module | version | license | used by |\n|---|---|---|---|\n"
	for _, key := range slices.Sorted(maps.Keys(all)) {
		d := all[key]
		licenses, err := licensesIn(d.dir)
		if err != nil {
			return "", fmt.Errorf("%s: %w", d.path, err)
		}
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", d.path, d.version, strings.Join(licenses, ", "), strings.Join(d.users(), ", "))
	}
	return text, nil
}

// addDependencies adds the modules imported by a module's packages, and tests,
// on an operating system.
func addDependencies(ctx context.Context, all map[string]*dependency, root string, m module, system string, isTest bool) error {
	const format = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
	env := []string{"GOWORK=off", "GOFLAGS=", "GOOS=" + system, "GOARCH=amd64", "CGO_ENABLED=0"}
	list, err := output(ctx, command{dir: filepath.Join(root, m.dir), env: env},
		"go", "list", "-deps", fmt.Sprintf("-test=%t", isTest), "-f", format, "./...")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || isOurs(fields[0]) {
			continue
		}
		key := fields[0] + " " + fields[1] // our modules may require different versions
		d := all[key]
		if d == nil {
			d = &dependency{path: fields[0], version: fields[1], dir: fields[2], usedBy: map[string]bool{}, inTests: map[string]bool{}}
			all[key] = d
		}
		if isTest {
			d.inTests[m.path()] = true
		} else {
			d.usedBy[m.path()] = true
		}
	}
	return nil
}

// users lists our modules that use a dependency.
func (d *dependency) users() (names []string) {
	name := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, rootPath), "/") }
	for _, path := range slices.Sorted(maps.Keys(d.inTests)) {
		user := "causal"
		if n := name(path); n != "" {
			user = n
		}
		if !d.usedBy[path] {
			user += " (tests)"
		}
		names = append(names, user)
	}
	return names
}

// licensesIn returns the licenses recognized in the files of a module. All must
// be permitted.
func licensesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, entry := range entries {
		if entry.IsDir() || !licenseName.MatchString(entry.Name()) || noticeName.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(string(text), publicDomain) {
			found["public domain"] = true
			continue
		}
		scan := licensecheck.Scan(text)
		if scan.Percent < minCoverage {
			return nil, fmt.Errorf("only %.0f%% of %s is a known license", scan.Percent, entry.Name())
		}
		for _, match := range scan.Match {
			if !slices.Contains(permitted, match.ID) {
				return nil, fmt.Errorf("the license %s is not on the list of permitted ones", match.ID)
			}
			found[match.ID] = true
		}
	}
	if len(found) == 0 {
		return nil, errors.New("there is no known license")
	}
	return slices.Sorted(maps.Keys(found)), nil
}
