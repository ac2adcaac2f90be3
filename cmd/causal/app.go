package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
	xterm "golang.org/x/term"

	"github.com/spec-kitty/causal/cmd/causal/internal/term"
)

// setUp determines the properties of the output.
func (a *app) setUp() {
	width, isTerminal := a.Terminal(a.Stdout)
	if a.Width == 0 {
		a.Width = 80
		if isTerminal {
			a.Width = width
		}
	}
	if a.Color == "auto" {
		a.Color = "never"
		if isTerminal && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" {
			a.Color = "always"
		}
	}
}

// terminal reports whether a stream is a terminal, and its width.
func terminal(out any) (width int, is bool) {
	f, ok := out.(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := xterm.GetSize(int(f.Fd()))
	if err != nil {
		width = 80
	}
	return width, true
}

// writer returns a writer of text.
func (a *app) writer(out io.Writer) *term.Writer {
	w := term.NewWriter(out)
	w.Width, w.IsASCII, w.HasTint = a.Width, a.ASCII, a.Color == "always"
	return w
}

// jsonWriter writes objects, one on each line.
type jsonWriter struct {
	out  *bufio.Writer
	line bytes.Buffer
	enc  *json.Encoder
	err  error
}

func newJSONWriter(out io.Writer) *jsonWriter {
	w := &jsonWriter{out: bufio.NewWriterSize(out, 1<<16)}
	w.enc = json.NewEncoder(&w.line)
	w.enc.SetEscapeHTML(false)
	return w
}

// write writes an object. It escapes control characters that a terminal could
// interpret.
func (w *jsonWriter) write(object any) {
	w.line.Reset()
	err := w.enc.Encode(object)
	if err == nil {
		_, err = w.out.WriteString(term.EscapeJSON(w.line.String()))
	}
	if w.err == nil {
		w.err = err
	}
}

func (w *jsonWriter) flush() error {
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}

// progress shows the progress of reading on a terminal, once it has taken a
// while.
type progress struct {
	app   *app
	start time.Time
	shown time.Time
	read  int64
}

// newProgress returns the progress function of an input.Reader, or nil if
// nobody sees it.
func (a *app) newProgress() *progress {
	if _, isTerminal := a.Terminal(a.Stderr); !isTerminal {
		return nil
	}
	return &progress{app: a, start: time.Now()}
}

func (p *progress) bytes(n int, of int64) {
	p.read += int64(n)
	if now := time.Now(); now.Sub(p.start) > 300*time.Millisecond && now.Sub(p.shown) > 100*time.Millisecond {
		p.shown = now
		text := fmt.Sprintf("%d MB read", p.read>>20)
		if of > 0 {
			text = fmt.Sprintf("%d of %d MB read", p.read>>20, of>>20)
		}
		fmt.Fprintf(p.app.Stderr, "\r\x1b[K%s", text)
	}
}

// end removes the progress line.
func (p *progress) end() {
	if p != nil && !p.shown.IsZero() {
		fmt.Fprint(p.app.Stderr, "\r\x1b[K")
	}
}

// versionFlag prints the version of the module.
type versionFlag bool

// BeforeReset is called by kong.
//
//nolint:unparam // kong wants an error
func (versionFlag) BeforeReset(k *kong.Kong) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	fmt.Fprintln(k.Stdout, "causal", version)
	k.Exit(0)
	return nil
}
