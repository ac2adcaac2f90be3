package rawjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var jsonTexts = []string{
	``, ` `, `null`, `true`, `false`, `nul`, `nulll`, `True`, `tru`, `"`, `""`, `"a`, `"a"b`, "\"\x00\"", "\"\x1f\"", "\"\x7f\xff\"",
	`"\`, `"\"`, `"\\"`, `"\/\b\f\n\r\t"`, `"\a"`, `"\u"`, `"\u00e"`, `"\u00eg"`, `"\u00Ea"`, `"\ud800"`, `"\U00e9"`,
	`0`, `-0`, `00`, `01`, `-`, `+1`, `1.`, `.5`, `1.5`, `1.5e`, `1e5`, `1E+5`, `1e-`, `1e-05`, `0e0`, `0x1`, `1 2`, `-a`, `NaN`,
	`{}`, `{ }`, `{`, `}`, `{]`, `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a" : 1 , "b":[{}]}`, `{"a":1 "b":2}`, `{"a":1;"b":2}`,
	`{1:2}`, `{"a",1}`, `[]`, `[ ]`, `[`, `]`, `[}`, `[1,]`, `[,1]`, `[1 2]`, `[1,2]`, "\t[\r\n1 ] ", `[[[]]]]`, `[[[]]`, `{"a":[}]`, "\v1", "\u00a01", "1\u00a0",
	"\ufeff{}", "[1]\x00",
}

// FuzzValid compares Valid with encoding/json.
func FuzzValid(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.Equal(t, json.Valid(data), Valid(data), "%q", data)
	})
}

func TestValidDepth(t *testing.T) {
	for depth := maxDepth - 1; depth <= maxDepth+1; depth++ {
		for _, level := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			value := strings.Repeat(level[0], depth-1) + "[]" + strings.Repeat(level[1], depth-1)
			require.Equal(t, json.Valid([]byte(value)), Valid([]byte(value)), depth)
			require.Equal(t, depth <= maxDepth, Valid([]byte(value)), depth)
		}
	}
}

// Every truncated text, and every text with one byte changed.
func TestValidDamaged(t *testing.T) {
	text := []byte(`{"a": ["b\u00e9\n", -1.5e+3, true, null, {}], "c": {"d": false}}`)
	for i := range text {
		require.Equal(t, json.Valid(text[:i]), Valid(text[:i]), "%q", text[:i])
		for c := range 256 {
			damaged := append([]byte(nil), text...)
			damaged[i] = byte(c)
			require.Equal(t, json.Valid(damaged), Valid(damaged), "%q", damaged)
		}
	}
}
