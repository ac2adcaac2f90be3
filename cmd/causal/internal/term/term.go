// Package term writes text for terminals: with colors or without, in ASCII if
// fonts are poor, and without anything in an event that could affect the
// terminal.
package term

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// Escape returns text that a terminal shows literally, on one line. It escapes
// control characters (C0, C1), those that change the direction or end a line,
// and invalid UTF-8, as in Go.
func Escape(s string) string {
	at := strings.IndexFunc(s, isControl)
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:at])
	for s = s[at:]; s != ""; {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case !isControl(r):
			b.WriteString(s[:size])
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// EscapeJSON returns a line of JSON with the same characters escaped as in
// JSON, including its end.
func EscapeJSON(s string) string {
	if strings.IndexFunc(strings.TrimSuffix(s, "\n"), isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || !isControl(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

func isControl(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r == utf8.RuneError,
		r == 0x61c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb,
		r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// Style is the appearance of a part of a line: parameters of the sequence SGR
// (ECMA-48, 8.3.117).
type Style string

// Styles.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Bad    Style = "1;31"
	Warn   Style = "1;33"
	Good   Style = "32"
	ID     Style = "33"
	Strong Style = "1;36"
)

// lanes are the colors of lanes.
var lanes = [...]Style{"36", "35", "34", "32", "33", "96", "95", "94"}

// Lane returns the color of a lane.
func Lane(k int) Style { return lanes[k%len(lanes)] }

// Writer writes lines. Use NewWriter. It is not safe for concurrent use.
type Writer struct {
	Width   int // in columns
	IsASCII bool
	HasTint bool // colors

	out   *bufio.Writer
	parts []part
}

type part struct {
	text  string
	style Style
	width int
}

// NewWriter returns a writer to out. Call Flush at the end.
func NewWriter(out io.Writer) *Writer {
	return &Writer{Width: 80, out: bufio.NewWriterSize(out, 1<<16)}
}

var toASCII = strings.NewReplacer("●", "*", "◆", "#", "▲", "!", "│", "|", "─", "-", "┼", "+", "├", "+", "┤", "+", "╰", "`", "╯", "'",
	"▸", ">", "◂", "<", "⋮", ":", "┏", ",", "┃", "|", "┗", "`", "┣", "+", "╭", ".", "✔", "+", "⚠", "!", "…", "~", "·", "-")

// Sign adds our own symbols to the line, replaced by ASCII if necessary.
func (w *Writer) Sign(style Style, text string) {
	if w.IsASCII {
		text = toASCII.Replace(text)
	}
	w.add(style, text)
}

// Text adds text that may come from an event, escaped.
func (w *Writer) Text(style Style, text string) { w.add(style, Escape(text)) }

// Fit adds text like Text, cut or padded with blanks to the given number of
// columns.
func (w *Writer) Fit(style Style, text string, columns int) {
	text = w.Cut(text, columns)
	w.add(style, text)
	w.add(Plain, strings.Repeat(" ", max(0, columns-displaywidth.String(text))))
}

// Cut returns text, escaped and cut to the given number of columns.
func (w *Writer) Cut(text string, columns int) string {
	end := "…"
	if w.IsASCII {
		end = "~"
	}
	return displaywidth.TruncateString(Escape(text), max(0, columns), end)
}

func (w *Writer) add(style Style, text string) {
	if text != "" {
		w.parts = append(w.parts, part{text, style, displaywidth.String(text)})
	}
}

// Used returns the number of columns used on the line.
func (w *Writer) Used() (columns int) {
	for _, p := range w.parts {
		columns += p.width
	}
	return columns
}

// End ends the line.
func (w *Writer) End() {
	for len(w.parts) > 0 && strings.Trim(w.parts[len(w.parts)-1].text, " ") == "" {
		w.parts = w.parts[:len(w.parts)-1]
	}
	for _, p := range w.parts { // Flush returns the error of all writes
		if w.HasTint && p.style != Plain {
			_, _ = fmt.Fprintf(w.out, "\x1b[%sm%s\x1b[0m", p.style, p.text)
		} else {
			_, _ = w.out.WriteString(p.text)
		}
	}
	w.parts = w.parts[:0]
	_ = w.out.WriteByte('\n')
}

// Flush writes buffered data, and returns the first error of all writes.
func (w *Writer) Flush() error { return w.out.Flush() }
