// Package page makes a page of HTML that shows a view in a browser: one file, which asks for nothing.
package page

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"

	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

var (
	//go:embed assets/page.html
	shell []byte
	//go:embed assets/style.css
	styleSource []byte
	//go:embed assets/model.js
	modelSource []byte
	//go:embed assets/draw.js
	drawSource []byte
	//go:embed assets/page.js
	pageSource []byte
)

// MaxEvents is how many events a page shows.
const MaxEvents = 200_000

// maxReach bounds what the page needs to know what came before what: a reference for each event and 32 chains.
const maxReach = 10_000_000

// TooMuchError says that a page cannot show so much.
type TooMuchError struct{ Events, Chains int }

// Error says what to do.
func (e *TooMuchError) Error() string {
	if e.Events > MaxEvents {
		return fmt.Sprintf("%d events are more than the %d that a page shows: filter them, such as with --aggregate or --since", e.Events, MaxEvents)
	}
	return fmt.Sprintf("%d events of which %d went side by side are more than a page shows: filter them, such as with --aggregate or --since", e.Events, e.Chains)
}

// Payload is how much of the payloads a page has.
type Payload string

// Pages have payloads of up to 2 kB, whole ones, or none.
const (
	Cut  Payload = "cut"
	Full Payload = "full"
	None Payload = "none"
)

// Options say what a page shows.
type Options struct {
	Sources   []string // the names of the inputs
	Shown     []int    // the events, in ascending order
	Conflicts []Conflict
	Findings  []view.Finding
	Payload   Payload
}

// Conflict is a conflict with what wins, if it is open and there is a policy.
type Conflict struct {
	view.Conflict
	Winner int // -1 if nothing is known to win
}

// Write writes the page.
func Write(out io.Writer, v *view.View, o Options) error {
	d, err := newData(v, o)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	pack, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return err
	}
	if err := d.write(pack); err != nil {
		return err
	}
	if err := pack.Close(); err != nil {
		return err
	}
	_, err = out.Write(join(base64.StdEncoding.AppendEncode(nil, packed.Bytes())))
	return err
}

// parts are the style and the script of the page, without what only people need.
var parts = sync.OnceValues(func() (style, script []byte) {
	m := minify.New()
	small := func(part []byte, f minify.MinifierFunc) []byte {
		var out bytes.Buffer
		if err := f(m, &out, bytes.NewReader(part), nil); err != nil {
			panic(err) // it is embedded
		}
		return out.Bytes()
	}
	return small(styleSource, css.Minify), small(slices.Concat(modelSource, drawSource, pageSource), js.Minify)
})

// join puts the parts into the page. The policy of the page lets these two run, and nothing else.
func join(data []byte) []byte {
	style, script := parts()
	policy := fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data: blob:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'",
		hash(style), hash(script))
	page := shell
	for _, part := range []struct {
		at   string
		text []byte
	}{{"@@POLICY@@", []byte(policy)}, {"@@STYLE@@", style}, {"@@SCRIPT@@", script}, {"@@DATA@@", data}} {
		page = bytes.Replace(page, []byte(part.at), part.text, 1)
	}
	return page
}

// hash returns the source expression of a part (Content Security Policy Level 3, section 2.3.1).
func hash(part []byte) string {
	sum := sha256.Sum256(part)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
