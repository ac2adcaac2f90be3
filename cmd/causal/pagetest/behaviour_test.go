//go:build !race

package pagetest

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/cmd/causal/internal/demo"
	"github.com/spec-kitty/causal/cmd/causal/internal/page"
	"github.com/spec-kitty/causal/cmd/causal/internal/view"
)

var team = demo.Options{Events: 200, Seed: 1, HasFaults: true}

func (b *browser) selected() int { return eval[int](b, "causal.S.selected") }
func (b *browser) shown() []int  { return eval[[]int](b, "causal.V.shown") }
func (b *browser) panel() string {
	return eval[string](b, "document.getElementById('panel').innerText")
}
func (b *browser) click(js string) { eval[bool](b, "("+js+").click() || true") }

// The effects of keys.
func TestKeys(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "")
	n := b.view.Len()
	b.keys("g")
	require.Equal(t, 0, b.selected())
	b.keys("jj")
	require.Equal(t, 2, b.selected())
	b.keys("k")
	require.Equal(t, 1, b.selected())
	b.keys("G")
	require.Equal(t, n-1, b.selected())
	b.keys("j")
	require.Equal(t, n-1, b.selected(), "there is none after it")
	require.Contains(t, b.panel(), string(b.view.At(n-1).ID()))

	b.keys("g")
	first := b.view.Conflicts(func(causal.Event) bool { return true })[0]
	b.keys("]")
	require.Equal(t, first.Events[1], b.selected())
	b.keys("g}")
	found := b.view.Findings(nil, time.Now())[0]
	require.Equal(t, found.Event, b.selected())
	require.Contains(t, eval[string](b, "document.getElementById('e"+strconv.Itoa(b.selected())+"').innerText"), string(found.Kind))

	b.keys("/")
	require.Equal(t, "query", eval[string](b, "document.activeElement.id"))
	eval[bool](b, "(q => { q.value = 'CommentAdded'; return q.dispatchEvent(new Event('input')) })(document.activeElement)")
	require.Equal(t, len(b.view.Select(func(e causal.Event) bool { return e.Type() == "CommentAdded" })), eval[int](b, "causal.V.hits.length"))
	b.keys("\r")
	require.Equal(t, "CommentAdded", b.view.At(b.selected()).Type())

	eval[bool](b, "document.getElementById('scroll').focus() || true")
	b.keys("a")
	aggregate := b.view.At(b.selected()).AggregateID()
	require.Len(t, b.shown(), len(b.view.Select(func(e causal.Event) bool { return e.AggregateID() == aggregate })))
	b.keys("a")
	require.Len(t, b.shown(), n)
	b.keys("0")
	require.Less(t, eval[float64](b, "causal.V.rowHeight"), 26.0)
	b.keys("1")
	require.InDelta(t, 26, eval[float64](b, "causal.V.rowHeight"), 0.01)
	b.keys("\x1b")
	require.Equal(t, -1, b.selected())
	b.keys("?")
	require.True(t, eval[bool](b, "document.getElementById('keys').open"))
}

// A filter reduces the graph again: the drawn edges are those computed by Go
// for the same events.
func TestFilters(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "")
	requireShown := func(isShown func(causal.Event) bool) {
		t.Helper()
		of := b.view.Select(isShown)
		require.Equal(t, of, b.shown())
		want := b.view.Parents(of)
		for k := range want {
			want[k] = append([]int{}, want[k]...) // not nil
		}
		require.Equal(t, want, eval[[][]int](b, "causal.V.shown.map(i => causal.V.parents[i].toSorted((x, y) => y - x))"))
	}
	requireShown(func(causal.Event) bool { return true })
	b.click("document.querySelector('[data-key=type][data-number=\"1\"]')")
	kind := eval[string](b, "causal.D.types[1]")
	requireShown(func(e causal.Event) bool { return e.Type() != kind })
	b.click("document.querySelector('[data-key=lane][data-number=\"0\"]')")
	requireShown(func(e causal.Event) bool { return e.Type() != kind && e.NodeID() != b.view.Lanes[0].NodeID })
	require.NotContains(t, eval[[]int](b, "causal.V.lanes"), 0, "a lane without events goes")
	eval[bool](b, "causal.select(causal.D.type.indexOf(1)) || true") // for example by a link
	require.Len(t, b.shown(), b.view.Len(), "what is selected is shown")
}

// The link to the current view leads there.
func TestLink(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "")
	b.keys("gjjja")
	b.click("document.querySelector('[data-key=type][data-number=\"0\"]')")
	b.click("document.querySelector('[data-tab=conflicts]')")
	eval[bool](b, "causal.zoom(.5) || true")
	const state = "JSON.stringify([causal.S, causal.V.shown, Math.round(causal.V.rowHeight)])"
	before, link := eval[string](b, state), eval[string](b, "location.hash")
	b.load(strings.TrimPrefix(link, "#"))
	require.JSONEq(t, before, eval[string](b, state))
	eval[bool](b, "(location.hash = '#e="+url.QueryEscape(string(b.view.At(7).ID()))+"', true)")
	require.Eventually(t, func() bool { return b.selected() == 7 }, 10*time.Second, 20*time.Millisecond)
	b.load("e=none&agg=none&z=x&tab=none&no-lane=a.-1.99&theme=none")
	require.Len(t, b.shown(), b.view.Len(), "a link that leads nowhere shows all")
}

// The page shows the subjects of conflicts, who joined them, the winners, and
// findings.
func TestPanels(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "tab=conflicts")
	b.picture("conflicts")
	for _, c := range b.view.Conflicts(func(causal.Event) bool { return true }) {
		item := eval[string](b, "document.querySelector('[data-conflict=\""+strconv.Itoa(c.Number)+"\"]').innerText")
		require.Contains(t, item, c.AggregateID)
		if c.IsOpen() {
			require.Contains(t, item, "open")
			require.Contains(t, item, "wins")
		} else {
			require.Contains(t, item, "joined")
		}
		for _, i := range c.Branches {
			require.Contains(t, item, b.view.At(i).NodeID())
		}
	}
	b.click("document.querySelector('[data-tab=findings]')")
	for _, f := range b.view.Findings(nil, time.Now()) {
		require.Contains(t, b.panel(), f.Text)
	}
	b.picture("findings")
	b.click("document.querySelector('[data-tab=event]')")
	b.keys("gjjjjjjjjjjjjjjjjjjjj")
	b.picture("cone")
	past := 0
	for range b.view.Past(b.selected()) {
		past++
	}
	require.Contains(t, b.panel(), strconv.Itoa(past)+" past")
}

// The content of events is text, whatever it is, and the page requests nothing.
func TestHostile(t *testing.T) {
	const evil = "</script><script>window.pwned=1</script><img src=http://127.0.0.1:9/x onerror=window.pwned=1>\x1b[2J\u202e\u0000@@DATA@@"
	var events []causal.Event
	for n := range 3 {
		e, err := causal.NewEvent(causal.EventParams{
			Type: evil, AggregateID: evil, NodeID: evil + string(rune('a'+n)), LamportClock: 1, ProjectUUID: demo.Projects[0], ProjectSlug: evil,
			Payload: map[string]any{evil: evil, "__proto__": map[string]any{"x": 1}},
		})
		require.NoError(t, err)
		events = append(events, e)
	}
	b := open(t, events, page.Options{Sources: []string{evil}, Findings: []view.Finding{{Kind: view.BadLine, Event: -1, Text: evil}}}, "")
	b.keys("gj")
	for _, tab := range []string{"conflicts", "findings", "event"} {
		b.click("document.querySelector('[data-tab=" + tab + "]')")
		shown := eval[string](b, "document.body.innerText")
		require.Contains(t, shown, "<img src=")
		require.NotContains(t, shown, "\x1b")
		require.NotContains(t, shown, "\u202e")
	}
	require.True(t, eval[bool](b, "window.pwned === undefined && !document.querySelector('img')"))
	require.Zero(t, eval[int](b, "performance.getEntriesByType('resource').length"), "requests")
	requireXML(t, eval[string](b, "causal.svg()"))
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.body.innerHTML = '<p>'; true"))
	require.ErrorContains(t, err, "TrustedHTML", "the policy of the page does not allow it")
}

func requireXML(t *testing.T, text string) (elements map[string]int) {
	t.Helper()
	elements = map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
}

// A payload is cut between characters, and numbers keep their digits.
func TestPayloads(t *testing.T) {
	var events []causal.Event
	for n := range 3 {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: "A", NodeID: "a", LamportClock: int64(n + 1), ProjectUUID: demo.Projects[0], Payload: map[string]string{"x": strings.Repeat(" ", n) + strings.Repeat("é🙂", 800)},
		})
		require.NoError(t, err)
		events = append(events, e)
	}
	b := open(t, events, page.Options{Payload: page.Cut}, "")
	for n := range events {
		text := eval[string](b, "JSON.parse(causal.D.payload("+strconv.Itoa(n)+"))")
		require.True(t, strings.HasPrefix(string(b.view.At(n).Payload()), text))
		require.Greater(t, len(text), 1990)
	}
}

// Numbers keep their digits, including those of clocks.
func TestDigits(t *testing.T) {
	const payload = `{"big":9007199254740993,"z":[1.10,1e400,-0],"a":{},"q":"\"{,"}`
	var events []causal.Event
	for n := range 3 {
		e, err := causal.NewEvent(causal.EventParams{
			Type: "T", AggregateID: "A", NodeID: string(rune('a' + n)), LamportClock: 1<<53 + int64(n), ProjectUUID: demo.Projects[0], Payload: json.RawMessage(payload),
		})
		require.NoError(t, err)
		events = append(events, e)
	}
	b := open(t, events, page.Options{}, "")
	b.keys("gj")
	for _, shown := range []string{"9007199254740993,", "1.10,", "1e400,", "-0", `"\"{,"`, "b @ 9007199254740993"} {
		require.Contains(t, b.panel(), shown)
	}
	require.Equal(t, `big=9007199254740993 z=[1.10,1e400,-0] a={} q="{,`, eval[string](b, "document.querySelector('.pay').textContent"))
	for i := range 3 {
		for j := range 3 {
			require.Equal(t, b.view.Relation(i, j).String(), eval[string](b, fmt.Sprintf("causal.model.relation(%d, %d)", i, j)))
		}
	}
}

// A conflict joined by an event outside the page is not open.
func TestJoinedElsewhere(t *testing.T) {
	events := demo.Events(demo.Options{Events: 80, Seed: 19, HasFaults: true, Aggregates: 4})
	h, err := causal.NewHistory(events)
	require.NoError(t, err)
	v := view.New(h)
	all := func(causal.Event) bool { return true }
	conflicts := v.Conflicts(all)
	joined := conflicts[slices.IndexFunc(conflicts, func(c view.Conflict) bool { return !c.IsOpen() })]
	b := open(t, events, page.Options{Shown: v.Select(func(e causal.Event) bool { return e.ID() != v.At(joined.JoinedBy).ID() })}, "tab=conflicts")
	item := eval[string](b, "document.querySelector('[data-conflict=\""+strconv.Itoa(joined.Number)+"\"]').innerText")
	require.Contains(t, item, "joined")
	require.Contains(t, item, "not on this page")
}

// An element keeps the focus after its action.
func TestFocus(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "")
	for _, selector := range []string{"[data-key=lane][data-number=\"1\"]", "[data-tab=conflicts]", ".pick"} {
		eval[bool](b, "(document.querySelector('"+selector+"').focus(), true)")
		was := eval[string](b, "document.activeElement.dataset.focus")
		b.keys(" ")
		require.Equal(t, was, eval[string](b, "document.activeElement.dataset.focus"))
	}
}

// No events, one event, and no remaining events.
func TestFew(t *testing.T) {
	b := open(t, nil, page.Options{}, "")
	b.keys("jkgG]}anp0")
	require.Equal(t, -1, b.selected())
	b = open(t, demo.Events(demo.Options{Events: 1}), page.Options{}, "")
	b.keys("jp0")
	require.Equal(t, 0, b.selected())
	b.click("document.querySelector('[data-key=lane]')")
	require.Empty(t, b.shown())
	requireXML(t, eval[string](b, "causal.svg()"))
}

// A picture of all shown events; light and dark; and many events on many lanes.
func TestPictures(t *testing.T) {
	b := open(t, demo.Events(team), page.Options{}, "theme=dark")
	b.keys("G")
	b.picture("dark")
	dark := eval[string](b, "getComputedStyle(document.body).backgroundColor")
	b.click("document.getElementById('theme')")
	require.NotEqual(t, dark, eval[string](b, "getComputedStyle(document.body).backgroundColor"))
	require.GreaterOrEqual(t, requireXML(t, eval[string](b, "causal.svg()"))["path"], b.view.Len())
	eval[bool](b, "(HTMLAnchorElement.prototype.click = function () { window.saved = [...window.saved || [], this.download] }, true)")
	b.click("document.getElementById('svg')")
	b.click("document.getElementById('png')")
	require.Eventually(t, func() bool { return eval[int](b, "window.saved.length") == 2 }, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"causal.svg", "causal.png"}, eval[[]string](b, "window.saved"))
	b = open(t, demo.Events(demo.Options{Events: 10_000, Seed: 4, Nodes: 50, HasFaults: true}), page.Options{}, "")
	b.picture("many")
	require.Less(t, eval[float64](b, "causal.stats().elements"), 1500.0, "rows that cannot be seen have no elements")
	b.keys("0")
	b.picture("many-all")
	t.Log(eval[map[string]float64](b, "causal.stats()"))
}
