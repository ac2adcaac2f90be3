package causalsync

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/spec-kitty/causal"
)

var update = flag.Bool("update", false, "write the messages of testdata anew")

func drawKey(t *rapid.T, from key) key {
	k := from
	if rapid.Bool().Draw(t, "another clock") {
		k.clock += rapid.Uint64Range(0, 1<<40).Draw(t, "clock")
		k.digest = [32]byte{}
	}
	n := rapid.IntRange(0, len(k.digest)).Draw(t, "bytes")
	for i := range n {
		k.digest[i] = rapid.Byte().Draw(t, "byte")
	}
	return k
}

func drawRanges(t *rapid.T) (all []rangeOf) {
	at := key{}
	for range rapid.IntRange(0, 6).Draw(t, "ranges") {
		r := rangeOf{span: span{lo: at}, mode: rapid.IntRange(modeFingerprint, modeWanted).Draw(t, "mode")}
		if k := drawKey(t, at); at.isBefore(k) && rapid.Bool().Draw(t, "a gap") {
			r.lo = k
		}
		if r.hi = drawKey(t, r.lo); !r.lo.isBefore(r.hi) || rapid.IntRange(0, 9).Draw(t, "to the end") == 0 {
			r.hi = end
		}
		if r.mode == modeFingerprint {
			r.fingerprint[5] = rapid.Byte().Draw(t, "fingerprint")
		} else {
			r.ids = make([]id, rapid.IntRange(r.mode-modeList, 4).Draw(t, "ids")) // at least one wanted
		}
		all = append(all, r)
		if at = r.hi; at == end {
			break
		}
	}
	return all
}

func drawEvents(t *rapid.T) (all []eventOf) {
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		if rapid.Bool().Draw(t, "large") {
			all = append(all, eventOf{data: []byte{}, large: "01JDXK5Z0000000000000000AA"})
		} else {
			all = append(all, eventOf{data: []byte(strings.Repeat("e", rapid.IntRange(minEvent, 300).Draw(t, "size")))})
		}
	}
	return all
}

// Decoding reverses encoding, and each message has one spelling.
func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := request{
			maxAnswer: rapid.Uint64Range(0, 1<<50).Draw(t, "max"), salt: salt{1, 2}, ranges: drawRanges(t), events: drawEvents(t),
			filter: causal.Filter{AggregateID: rapid.String().Draw(t, "aggregate"), MinTier: rapid.IntRange(0, 4).Draw(t, "tier")},
		}
		text := q.encode()
		got, err := decodeRequest(text)
		require.NoError(t, err)
		require.Equal(t, text, got.encode())
		require.Equal(t, q.filter, got.filter)
		require.Len(t, got.ranges, len(q.ranges))
		for i, r := range got.ranges {
			require.Equal(t, q.ranges[i].span, r.span)
			require.Equal(t, q.ranges[i].mode, r.mode)
			require.LessOrEqual(t, len(r.append(nil, new(uint64))), r.size())
		}
		require.Equal(t, q.events, got.events)
		a := answer{
			hash: hashOf(text), maxRequest: 7, done: drawKey(t, key{}), ranges: q.ranges, events: q.events,
			wants: []want{{1, 2}, {3, 4}}, refusals: []refusal{{5, 1}},
		}
		text = a.encode()
		back, err := decodeAnswer(text)
		require.NoError(t, err)
		require.Equal(t, text, back.encode())
		require.Equal(t, a.done, back.done)
		require.Equal(t, a.wants, back.wants)
		require.Equal(t, a.refusals, back.refusals)
	})
}

// Each malformed part of a message is refused.
func TestMalformedMessages(t *testing.T) {
	header := magic + "\x01" + strings.Repeat("\x00", 16) // of a request, up to the filter
	noFilter := header + "\x00\x00\x00"
	for name, text := range map[string]string{
		"empty":                        "",
		"another protocol":             "http",
		"a header that ends":           magic + "\x01",
		"a number in a longer form":    magic + "\x81\x00" + noFilter[5:] + "\x00\x00",
		"a number of more bits":        magic + strings.Repeat("\xff", 10) + "\x01",
		"a filter of no project":       header + "\x01x\x00\x00\x00\x00",
		"a project in upper case":      header + "\x24AAAAAAAA-1234-5678-1234-567812345678\x00\x00\x00\x00",
		"an aggregate that is no text": header + "\x00\x01\xff\x00\x00\x00",
		"a tier that there is not":     header + "\x00\x00\x05\x00\x00",
		"more ranges than bytes":       noFilter + "\xff\xff\x03",
		"a range that is cut off":      noFilter + "\x01\x00\x00\x01xxx",
		"an unknown mode":              noFilter + "\x01\x00\x00\x07\x00",
		"an end with a digest":         noFilter + "\x01\x00\x01x\x02\x00\x00",
		"a digest that ends with zero": noFilter + "\x01\x01\x02x\x00\x02\x00\x00",
		"a digest of 33 bytes":         noFilter + "\x01\x01\x21" + strings.Repeat("x", 33) + "\x02\x00\x00",
		"a clock above 63 bits":        noFilter + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x02\x00\x00",
		"ranges that do not ascend":    noFilter + "\x02\x05\x00\x02\x00\x01\x00\x02\x00\x00",
		"a range after the end":        noFilter + "\x02\x00\x00\x02\x00\x00\x00\x02\x00\x00",
		"a skip at the end":            noFilter + "\x01\x00\x00\x00\x00",
		"two skips":                    noFilter + "\x03\x05\x00\x00\x05\x00\x00\x00\x00\x02\x00\x00",
		"a list longer than bytes":     noFilter + "\x01\x00\x00\x02\xff\xff\x03",
		"more events than bytes":       noFilter + "\x00\xff\xff\x03",
		"an event that is cut off":     noFilter + "\x00\x01\x7fxx",
		"an event that is too short":   noFilter + "\x00\x01\x3f" + strings.Repeat("x", 63),
		"a large event without ID":     noFilter + "\x00\x01\x00\x02xx",
		"bytes after the end":          noFilter + "\x00\x00x",
	} {
		_, err := decodeRequest([]byte(text))
		require.ErrorIs(t, err, ErrProtocol, name)
	}
	_, err := decodeRequest([]byte(noFilter + "\x00\x00"))
	require.NoError(t, err)
	_, err = decodeRequest([]byte("csy2 and so on"))
	require.ErrorIs(t, err, errVersion)
	start := magic + "hashhash\x07"
	for name, text := range map[string]string{
		"empty": "", "another version": "csy2hashhash\x07\x03\x01", "an unknown kind": start + "\x04",
		"a salt that is cut off": start + "\x01xx", "more wants than bytes": start + "\x00\x00\x00\x00\x7f",
		"a want of 40 bits":          start + "\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\x01\x00\x00\x00",
		"more refusals than bytes":   start + "\x00\x00\x00\x00\x00\x00\x7f",
		"a message after the answer": start + "\x03\x01\x01",
	} {
		_, err := decodeAnswer([]byte(text))
		require.ErrorIs(t, err, ErrProtocol, name)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, line := range golden(f, goldenNames...) {
		f.Add(unhex(f, line.Request))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if q, err := decodeRequest(text); err == nil {
			require.Equal(t, text, q.encode(), "a message has one spelling")
		} else if err != errVersion {
			require.ErrorIs(t, err, ErrProtocol)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, line := range golden(f, goldenNames...) {
		f.Add(unhex(f, line.Answer))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if a, err := decodeAnswer(text); err == nil {
			require.Equal(t, text, a.encode(), "a message has one spelling")
		} else {
			require.ErrorIs(t, err, ErrProtocol)
		}
	})
}

// Any input is answered by a readable message, or refused.
func FuzzAnswer(f *testing.F) {
	for _, line := range golden(f, goldenNames...) {
		f.Add(unhex(f, line.Request))
	}
	_, r := testStore(f, 100)
	r.options.Accept = func(string, causal.Event) error { return os.ErrPermission } // the store stays as it is
	f.Fuzz(func(t *testing.T, text []byte) {
		if q, err := decodeRequest(text); err == nil {
			q.salt = r.ownSalt()
			text = q.encode()
		}
		reply, err := r.Answer(context.Background(), "", causal.Filter{}, text)
		if err != nil {
			require.ErrorIs(t, err, ErrProtocol)
			return
		}
		a, err := decodeAnswer(reply)
		require.NoError(t, err)
		require.Equal(t, hashOf(text), a.hash)
	})
}

// goldenLine is one trip of a session in testdata.
type goldenLine struct{ Request, Answer string }

// golden returns the trips of sessions.
func golden(t testing.TB, names ...string) (lines []goldenLine) {
	for _, name := range names {
		file, err := os.Open(filepath.Join("testdata", name))
		require.NoError(t, err)
		defer func() { _ = file.Close() }()
		for s := bufio.NewScanner(file); s.Scan(); {
			var line goldenLine
			require.NoError(t, json.Unmarshal(s.Bytes(), &line))
			lines = append(lines, line)
		}
	}
	return lines
}

var goldenNames = []string{"session.jsonl", "lists.jsonl"}

func unhex(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// The messages of Syncs, byte by byte, for implementations in other languages:
// testdata/events.jsonl has the events, and the stores that have them. In
// lists.jsonl the initiator has few events, and messages are small, so there
// are lists, wants, and ends within a list.
func TestGoldenSessions(t *testing.T) {
	for _, test := range []struct {
		name           string
		isIn           func(of goldenEvent) bool
		size           int
		received, sent int
		refused        int
	}{
		{"session.jsonl", func(of goldenEvent) bool { return of.Here }, 0, 3, 2, 2},
		{"lists.jsonl", func(of goldenEvent) bool { return of.Few }, minMessage, 67, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			var here, there causal.MemStore
			for _, of := range goldenEvents(t) {
				if test.isIn(of) {
					require.NoError(t, here.SaveEvent(ctx, of.Event))
				}
				if of.There {
					require.NoError(t, there.SaveEvent(ctx, of.Event))
				}
			}
			responder := must(New(&there, &Options{Secret: []byte("0123456789abcdef"), MaxMessage: test.size}))
			responder.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
			initiator := must(New(&here, &Options{MaxMessage: test.size}))
			var lines []goldenLine
			isWithin, hasWants := false, false
			report, err := initiator.Sync(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
				answer, err := responder.Answer(ctx, "", causal.Filter{}, request)
				lines = append(lines, goldenLine{hex.EncodeToString(request), hex.EncodeToString(answer)})
				a := must(decodeAnswer(answer))
				isWithin, hasWants = isWithin || a.kind == answerDone && a.done != end, hasWants || len(a.wants) > 0
				return answer, err
			}, &SyncOptions{Filter: causal.Filter{ProjectUUID: "12345678-1234-5678-1234-567812345678"}})
			require.NoError(t, err)
			require.Equal(t, []int{test.received, test.sent, test.refused}, []int{report.Received, report.Sent, report.RefusedCount})
			require.Equal(t, test.size > 0, isWithin)
			require.Equal(t, test.size > 0, hasWants)
			if *update {
				var b strings.Builder
				for _, line := range lines {
					b.Write(append(must(json.Marshal(line)), '\n'))
				}
				require.NoError(t, os.WriteFile(filepath.Join("testdata", test.name), []byte(b.String()), 0o600))
			}
			require.Equal(t, golden(t, test.name), lines)
		})
	}
}

// goldenEvent is an event of testdata/events.jsonl, and the stores that have
// it.
type goldenEvent struct {
	Here, There, Few bool
	Event            causal.Event
}

func goldenEvents(t *testing.T) (events []goldenEvent) {
	text, err := os.ReadFile(filepath.Join("testdata", "events.jsonl"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var of goldenEvent
		require.NoError(t, json.Unmarshal([]byte(line), &of))
		events = append(events, of)
	}
	return events
}
