// Report turns the results of the benchmarks into the tables and charts of
// docs/benchmarks and the benchmark section of the README. It is run from the
// benchmarks directory:
//
//	go run ./report
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "..", "the root of the repository, where README.md and docs are")
	flag.Parse()
	files, err := generate(*root)
	if err == nil {
		for name, content := range files {
			if err = os.WriteFile(filepath.Join(*root, name), content, 0o644); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// Where the results are, and where what is made of them goes.
const (
	resultsFile  = "docs/benchmarks/results.txt"
	packagesFile = "docs/benchmarks/packages.txt"
	tablesFile   = "docs/benchmarks/README.md"
	readmeFile   = "README.md"
)

// The section of the README that is made here.
const (
	sectionBegin = "<!-- Made by benchmarks/report; do not edit. -->\n"
	sectionEnd   = "<!-- The end of what benchmarks/report made. -->\n"
)

// generate returns the content of each file that is made of the results, by its
// name below root.
func generate(root string) (map[string][]byte, error) {
	results, err := readResults(filepath.Join(root, resultsFile))
	if err != nil {
		return nil, err
	}
	packages, err := readResults(filepath.Join(root, packagesFile))
	if err != nil {
		return nil, err
	}
	tables, err := allTables(results, packages)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{tablesFile: []byte(tables)}
	for _, g := range groups {
		if files[chartFile(g.name)], err = groupChart(g, results); err != nil {
			return nil, err
		}
	}
	if files[chartFile(growthGroup)], err = growthChart(results); err != nil {
		return nil, err
	}
	readme, err := os.ReadFile(filepath.Join(root, readmeFile))
	if err != nil {
		return nil, err
	}
	section, err := readmeSection(results)
	if err != nil {
		return nil, err
	}
	before, rest, begun := bytes.Cut(readme, []byte(sectionBegin))
	_, after, ended := bytes.Cut(rest, []byte(sectionEnd))
	if !begun || !ended {
		return nil, fmt.Errorf("%s has no section for benchmarks", readmeFile)
	}
	files[readmeFile] = bytes.Join([][]byte{before, []byte(sectionBegin + section + sectionEnd), after}, nil)
	return files, nil
}

func chartFile(group string) string { return "docs/benchmarks/" + chartName(group) }
