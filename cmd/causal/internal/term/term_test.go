package term_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
)

// No control character and no direction mark is left, and all other text is
// unchanged.
func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain, é, 世界 🙂 \\": "plain, é, 世界 🙂 \\", "a\x1b[2Jb": `a\x1b[2Jb`, "\x00\t\r\n\x7f": `\x00\x09\x0d\x0a\x7f`, "\u0085\u009b": `\u0085\u009b`,
		"\u202eabc\u2066": `\u202eabc\u2066`, "\u200b\u2028\ufeff\ufff9": `\u200b\u2028\ufeff\ufff9`, "a\xff\xfeb": `a\xff\xfeb`, "\U000e0041": `\U000e0041`,
	} {
		require.Equal(t, want, term.Escape(text), "%q", text)
	}
	for r := range unicode.MaxRune {
		text := term.Escape(string(r))
		for _, shown := range text {
			require.False(t, unicode.IsControl(shown) || unicode.Is(unicode.Bidi_Control, shown), "%U", r)
		}
	}
}

// Escaped JSON has the same values.
func TestEscapeJSON(t *testing.T) {
	for _, text := range []string{"plain é 世界", "\u0085\u009b\x7f\u202e", "\U000e0041\U0001f642", "a\"\\\n"} {
		line, err := json.Marshal(map[string]string{"x": text})
		require.NoError(t, err)
		escaped := term.EscapeJSON(string(line) + "\n")
		require.True(t, strings.HasSuffix(escaped, "\n"))
		for _, r := range strings.TrimSuffix(escaped, "\n") {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r), "%q", escaped)
		}
		require.JSONEq(t, string(line), escaped)
	}
}

// Parts of a line have the right width; trailing blanks are removed.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := term.NewWriter(&out)
	w.Fit(term.Bold, "世界世界", 5)
	w.Fit(term.Bold, "ab", 4)
	w.Sign(term.Good, "●")
	require.Equal(t, 10, w.Used())
	w.Text(term.Plain, "   ")
	w.End()
	w.IsASCII, w.HasTint = true, true
	w.Sign(term.Good, "●─▸")
	w.Fit(term.Plain, "abcdef", 4)
	w.End()
	require.NoError(t, w.Flush())
	require.Equal(t, "世界…ab  ●\n\x1b[32m*->\x1b[0mabc~\n", out.String())
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

// A failure to write a line is reported, whenever it occurred.
func TestWriterFails(t *testing.T) {
	w := term.NewWriter(broken{})
	for range 10_000 {
		w.Text(term.Plain, strings.Repeat("x", 20))
		w.End()
	}
	require.ErrorContains(t, w.Flush(), "full")
}
