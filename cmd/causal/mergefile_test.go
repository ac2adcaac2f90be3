package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The result for lines that are not events, however often each occurs. Each
// letter is a line.
func TestMergeOtherLines(t *testing.T) {
	other := func(lines string) file {
		f := file{others: map[string]int{}}
		for line := range strings.SplitSeq(lines, "") {
			if f.others[line]++; f.others[line] == 1 {
				f.order = append(f.order, line)
			}
		}
		return f
	}
	for name, test := range map[string]struct{ base, ours, theirs, want string }{
		"none":                {want: ""},
		"as they were":        {"xxy", "xxy", "xxy", "xxy"},
		"both added one":      {"", "x", "x", "x"},
		"ours added one":      {"x", "xy", "x", "x<y=>"},
		"theirs added one":    {"", "", "y", "<=y>"},
		"each added another":  {"", "x", "y", "<x=y>"},
		"ours removed one":    {"xy", "x", "xy", "x"},
		"theirs removed all":  {"xy", "xy", "", ""},
		"more and still more": {"x", "xx", "xxx", "xx<=x>"},
		"more and fewer":      {"xx", "xxx", "x", "x<xx=>"},
	} {
		merged, notes, hasConflict := mergeFiles(other(test.base), other(test.ours), other(test.theirs))
		short := strings.NewReplacer("\n", "", "<<<<<<< ours", "<", "=======", "=", ">>>>>>> theirs", ">").Replace(string(merged))
		require.Equal(t, test.want, short, name)
		require.Equal(t, strings.Contains(test.want, "<"), hasConflict, name)
		require.Equal(t, hasConflict || strings.Contains(name, "removed"), len(notes) > 0, name)
	}
}
