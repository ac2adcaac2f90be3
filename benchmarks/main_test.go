package benchmarks

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// benchTime is the duration of each round of a benchmark, unless set on the
// command line.
const benchTime = "0.3s"

// TestMain writes the versions that the results depend on, as lines of the
// benchmark format.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		setBenchTime()
		fmt.Printf("go-version: %s\ncores: %d\n", runtime.Version(), runtime.NumCPU())
		fmt.Print(moduleVersions())
	}
	os.Exit(m.Run())
}

// moduleVersions lists the modules linked into this program.
func moduleVersions() string {
	list := exec.Command("go", "list", "-deps", "-test", "-f",
		"{{with .Module}}{{if and .Version (not .Replace)}}{{.Path}}: {{.Version}}{{end}}{{end}}", ".")
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		panic(err)
	}
	lines := strings.SplitAfter(string(output), "\n")
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "")
}

// setBenchTime replaces the default of go test, with which a run takes half an
// hour.
func setBenchTime() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.benchtime" })
	if !given {
		if err := flag.Set("test.benchtime", benchTime); err != nil {
			panic(err)
		}
	}
}
