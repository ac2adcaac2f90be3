package causal

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"
)

// repeat is an endless reader of one byte.
type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte{byte(r)}, len(p)))
	return len(p), nil
}

func TestEventIDsIncreaseWhateverTheClockDoes(t *testing.T) {
	start := time.Date(2026, 1, 26, 10, 0, 0, 0, time.UTC)
	walls := map[string]func(i int) time.Time{
		"stands":       func(int) time.Time { return start },
		"steps back":   func(i int) time.Time { return start.Add(-time.Duration(i) * time.Hour) },
		"jumps":        func(i int) time.Time { return start.Add(time.Duration(i%7) * time.Minute) },
		"before 1970":  func(int) time.Time { return time.Time{} },
		"after 10889":  func(int) time.Time { return time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"goes too far": func(i int) time.Time { return ulid.Time(ulid.MaxTime()).Add(time.Duration(i) * time.Hour) },
	}
	for name, wall := range walls {
		t.Run(name, func(t *testing.T) {
			i := 0
			g := newIDGenerator(func() time.Time { i++; return wall(i) }, repeat(1))
			last := EventID("")
			for range 1000 {
				id := g.next()
				require.True(t, isEventID(string(id)))
				require.Greater(t, id, last)
				last = id
			}
		})
	}
}

// All ones leave no room to increase within one millisecond.
func TestEventIDsSurviveOverflow(t *testing.T) {
	for name, wall := range map[string]time.Time{
		"in time": time.UnixMilli(1000), "at the end of time": ulid.Time(ulid.MaxTime()),
	} {
		t.Run(name, func(t *testing.T) {
			random := &switchReader{Reader: repeat(0xFF)}
			g := newIDGenerator(func() time.Time { return wall }, random)
			first := g.next()
			random.Reader = repeat(1)
			for range 3 {
				id := g.next()
				require.True(t, isEventID(string(id)))
				if name == "in time" {
					require.Greater(t, id, first)
				}
			}
		})
	}
}

type switchReader struct{ io.Reader }

func TestEventIDCanonical(t *testing.T) {
	for _, test := range []struct {
		id, want EventID
		valid    bool
	}{
		{id: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B", want: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B", valid: true},
		{id: "01hv6z5q8m2n4p6r8t0v2x4z6b", want: "01HV6Z5Q8M2N4P6R8T0V2X4Z6B", valid: true},
		{id: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", want: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", valid: true},
		{id: "9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D", want: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", valid: true},
		{id: ""},
		{id: "short"},
		{id: "01HV6Z5Q8M2N4P6R8T0V2X4Z6"},
		{id: "01HV6Z5Q8M2N4P6R8T0V2X4Z6BB"},
		{id: "01HV6Z5Q8M2N4P6R8T0V2X4Z6é"},
		{id: "01HV6Z5Q8M2N4P6R8T0V2X4Z6-"},
		{id: "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d"},
		{id: "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6g"},
		{id: "9b1deb4d-3b7d-4bad-9bdd2-b0d7b3dcb6d"},
		{id: "{b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6}"},
	} {
		t.Run(string(test.id), func(t *testing.T) {
			got, ok := test.id.canonical()
			require.Equal(t, test.valid, ok)
			require.Equal(t, test.valid && test.id == test.want, isEventID(string(test.id)))
			if ok {
				require.Equal(t, test.want, got)
			}
		})
	}
}
