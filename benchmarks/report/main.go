// Report turns the results of the benchmarks into the tables and charts of
// docs/benchmarks. It is run from the
// benchmarks directory:
//
//	go run ./report
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "..", "the root of the repository, where docs is")
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

// The files with the results, and the files generated from them.
const (
	resultsFile  = "docs/benchmarks/results.txt"
	packagesFile = "docs/benchmarks/packages.txt"
	tablesFile   = "docs/benchmarks/README.md"
	readmeFile   = "README.md"
)

// generate returns the content of each generated file by its name below root.
func generate(root string) (map[string][]byte, error) {
	results, err := readResults(filepath.Join(root, resultsFile))
	if err != nil {
		return nil, err
	}
	packages, err := readResults(filepath.Join(root, packagesFile))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(results.checkMachine(resultsFile), packages.checkMachine(packagesFile)); err != nil {
		return nil, err
	}
	tables, err := allTables(results, packages)
	if err != nil {
		return nil, err
	}
	readme, err := os.ReadFile(filepath.Join(root, readmeFile))
	if err != nil {
		return nil, err
	}
	withRows, err := insertRows(string(readme), tables)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{tablesFile: []byte(tables), readmeFile: []byte(withRows)}
	for _, g := range groups {
		if files[chartFile(g.name)], err = groupChart(g, results); err != nil {
			return nil, err
		}
	}
	if files[chartFile(growthGroup)], err = growthChart(results); err != nil {
		return nil, err
	}
	return files, nil
}

func chartFile(group string) string { return "docs/benchmarks/" + chartName(group) }
