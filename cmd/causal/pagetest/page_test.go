//go:build !race

package pagetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
	"github.com/spec-kitty/causal/cmd/causal/internal/page"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

// findBrowser returns the path of a browser.
func findBrowser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CAUSAL_TEST_REQUIRE") != "" {
		t.Fatal("no browser was found: install Debian's chromium")
	}
	t.Skip("no browser was found: install Debian's chromium")
	return ""
}

// browser is a page in a browser.
type browser struct {
	t    *testing.T
	ctx  context.Context // the context of the browser
	view *view.View
	file string
	size int
}

// open opens the page of the given events, with a fragment.
func open(t *testing.T, events []causal.Event, o page.Options, fragment string) *browser {
	path := findBrowser(t)
	h, err := causal.NewHistory(events)
	require.NoError(t, err)
	v := view.New(h)
	all := func(causal.Event) bool { return true }
	if o.Shown == nil {
		o.Shown = v.Select(all)
	}
	for _, c := range v.Conflicts(all) {
		o.Conflicts = append(o.Conflicts, page.Conflict{Conflict: c, Winner: c.Branches[len(c.Branches)-1]})
	}
	o.Findings = append(o.Findings, v.Findings(nil, time.Now())...)
	o.Sources = []string{"team.jsonl"}
	var out bytes.Buffer
	require.NoError(t, page.Write(&out, v, o))
	b := &browser{t: t, view: v, file: filepath.Join(t.TempDir(), "page.html"), size: out.Len()}
	require.NoError(t, os.WriteFile(b.file, out.Bytes(), 0o600))
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1440, 900))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	b.load(fragment)
	return b
}

// load reloads the page.
func (b *browser) load(fragment string) {
	_, err := chromedp.Run(b.ctx, chromedp.Navigate("about:blank"))
	require.NoError(b.t, err)
	_, err = chromedp.Run(b.ctx, chromedp.Navigate("file://"+b.file+"#"+fragment))
	require.NoError(b.t, err)
	_, err = chromedp.Run(b.ctx, chromedp.WaitVisible("html[data-ready]"))
	require.NoError(b.t, err)
}

// eval evaluates a JavaScript expression.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return value
}

// keys presses keys.
func (b *browser) keys(keys string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.KeyEvent(keys))
	require.NoError(b.t, err)
}

// picture saves a picture of the page in the directory named by the
// environment.
func (b *browser) picture(name string) {
	dir := os.Getenv("CAUSAL_TEST_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.MkdirAll(dir, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// The page relates any two events as History does.
func TestRelations(t *testing.T) {
	for name, o := range map[string]demo.Options{
		"stamped": {Events: 150, Seed: 1}, "with faults": {Events: 200, Seed: 1, HasFaults: true}, "plain": {Events: 60, Seed: 3, IsPlain: true},
		"vector clocks": {Events: 100, Seed: 2, IsPlain: true, HasVectorClocks: true}, "many nodes": {Events: 150, Seed: 4, Nodes: 60},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, demo.Events(o), page.Options{}, "")
			got := eval[[][]string](b, "causal.D.id.map((_, i) => causal.D.id.map((_, j) => causal.model.relation(i, j)))")
			require.Len(t, got, b.view.Len())
			for i := range got {
				for j := range got[i] {
					require.Equal(t, b.view.Relation(i, j).String(), got[i][j], "%d and %d", i, j)
				}
			}
		})
	}
}
