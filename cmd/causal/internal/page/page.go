// Package page writes an HTML page that shows a view in a browser: one file
// without external resources.
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

// MaxEvents is the maximum number of events in a page.
const MaxEvents = 200_000

// maxReach limits the data that the page needs to relate events: a reference
// for each event and 32 chains.
const maxReach = 10_000_000

// TooMuchError reports that a page cannot show so much.
type TooMuchError struct{ Events, Chains int }

// Error includes advice.
func (e *TooMuchError) Error() string {
	if e.Events > MaxEvents {
		return fmt.Sprintf("%d events are more than the %d that a page shows: filter them, such as with --aggregate or --since", e.Events, MaxEvents)
	}
	return fmt.Sprintf("%d events, %d of them concurrent, are more than a page can show: filter them, for example with --aggregate or --since", e.Events, e.Chains)
}

// Payload selects how much of the payloads a page contains.
type Payload string

// Pages have payloads of up to 2 kB, complete ones, or none.
const (
	Cut  Payload = "cut"
	Full Payload = "full"
	None Payload = "none"
)

// Options select the content of a page.
type Options struct {
	Sources   []string // the names of the inputs
	Shown     []int    // the events, in ascending order
	Conflicts []Conflict
	Findings  []view.Finding
	Payload   Payload
}

// Conflict is a conflict and its winner, if it is open and there is a policy.
type Conflict struct {
	view.Conflict
	Winner int // -1 if there is no known winner
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

// parts are the style and script of the page, minified.
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

// join inserts the parts into the page. The content security policy of the page
// permits these two and nothing else.
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

// hash returns the source expression of a part (Content Security Policy Level
// 3, section 2.3.1).
func hash(part []byte) string {
	sum := sha256.Sum256(part)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
