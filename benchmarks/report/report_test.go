package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The published page and charts match the results.
func TestReportIsCurrent(t *testing.T) {
	files, err := generate("../..")
	require.NoError(t, err)
	require.Len(t, files, len(groups)+3) // the charts, including that of growth, the tables, and the README
	require.NotContains(t, string(files[tablesFile]), unexplained)
	for name, content := range files {
		committed, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		if filepath.Ext(name) == ".svg" { // other processors round the positions of dots differently
			require.Equal(t, chartTexts(t, content), chartTexts(t, committed), name)
			continue
		}
		require.Equal(t, string(content), string(committed), "%s: run go run ./report", name)
	}
}

// chartTexts returns the texts in a chart.
func chartTexts(t *testing.T, svg []byte) (texts []string) {
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, texts)
			return texts
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			texts = append(texts, string(text))
		}
	}
}

func TestFormats(t *testing.T) {
	for seconds, want := range map[float64]string{
		2.243e-9: "2.24 ns", 33.96e-9: "34.0 ns", 999.4e-9: "999 ns", 999.6e-9: "1.00 µs", 9.996e-9: "10.0 ns", 1e-6: "1.00 µs",
		0.0123456: "12.3 ms", 0.5: "500 ms", 1.5: "1.50 s", 2004: "2004 s", 0.4e-9: "0.400 ns",
	} {
		require.Equal(t, want, duration(seconds))
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_000_000: "1,000,000"} {
		require.Equal(t, want, thousands(n))
	}
}

const sample = `cores: 2
pkg: ` + benchmarksPackage + `
BenchmarkX/op=a/lib=ours-2 100 20 ns/op 1 allocs/op
BenchmarkX/op=a/lib=ours-2 100 40 ns/op 1 allocs/op
BenchmarkX/op=a/lib=ours-2 100 30 ns/op 1 allocs/op
BenchmarkX/op=a/lib=peer-2 100 10 ns/op 0 allocs/op
BenchmarkX/op=a/lib=peer-2 100 11 ns/op 0 allocs/op
BenchmarkX/op=a/lib=peer-2 100 12 ns/op 0 allocs/op
`

func read(t *testing.T, text string) (*results, error) {
	path := filepath.Join(t.TempDir(), "results.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return readResults(path)
}

func TestResults(t *testing.T) {
	r, err := read(t, strings.Repeat(sample, 3))
	require.NoError(t, err)
	g := group{name: "X", libs: []lib{{key: "ours", name: "ours", ours: true}, {key: "peer", name: "peer"}}, ops: []op{{"a", "do a"}}}
	cells, ours, err := r.cells(g, g.ops[0])
	require.NoError(t, err)
	require.Equal(t, "30.0 ns (1)", ours.String())
	require.Equal(t, "11.0 ns (0)", cells[1].String())
	require.Equal(t, "9 rounds", r.rounds())
	require.InDelta(t, (20.0/30+2.0/11)/2, r.spread(), 1e-9)
	require.True(t, cells[1].fasterThan(ours.figure))

	table, err := groupTable(r, g)
	require.NoError(t, err)
	require.Contains(t, table, unexplained)
	g.libs[1].faster = "it does less"
	table, err = groupTable(r, g)
	require.NoError(t, err)
	require.Contains(t, table, "| do a | 30.0 ns (1) | 11.0 ns (0) |\n")
	require.Contains(t, table, "peer is faster at: do a. Reason: it does less.")

	require.ErrorContains(t, r.checkMachine("x.txt"), "x.txt does not state go-version")

	g.ops[0].key = "b"
	_, err = groupTable(r, g)
	require.ErrorContains(t, err, "no results of BenchmarkX/op=b")
	_, err = read(t, "PASS\n")
	require.ErrorContains(t, err, "no results")
	_, err = read(t, sample+"BenchmarkX/op=a 100 fast\n")
	require.Error(t, err)
	_, err = readResults(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestByHand(t *testing.T) {
	const pkg = "pkg: github.com/spec-kitty/causal\n"
	rows := func(name string, times ...int) (text string) {
		for _, ns := range times {
			text += fmt.Sprintf("Benchmark%s-2 100 %d ns/op\n", name, ns)
		}
		return text
	}
	ours, theirs := []int{30, 31, 32, 33, 34, 35}, []int{10, 11, 12, 13, 14, 15}
	r, err := read(t, pkg+rows("MergeGSet/causal", ours...)+rows("MergeGSet/naive", theirs...)+rows("Emit/emit", ours...))
	require.NoError(t, err)
	table := packageTables(r)
	require.Contains(t, table, "| MergeGSet/causal | 32.5 ns | 12.5 ns | 2.60 |\n| Emit/emit | 32.5 ns | | |\n")
	require.Contains(t, table, "Faster by hand: MergeGSet/causal. Reason: its payloads are decoded in advance")
	require.NotContains(t, table, "| MergeGSet/naive")

	r, err = read(t, pkg+rows("MergeGSet/causal", theirs...)+rows("MergeGSet/naive", ours...))
	require.NoError(t, err)
	require.NotContains(t, packageTables(r), "Faster by hand")
	r, err = read(t, pkg+rows("Other/store", ours...)+rows("Other/raw", theirs...))
	require.NoError(t, err)
	require.Contains(t, packageTables(r), unexplained)
}
